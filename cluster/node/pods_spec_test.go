// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestProgramFor(t *testing.T) {
	programs := []Program{{Image: "registry:5000/tests/", Path: "all"}, {Image: "registry:5000/tests/probe", Path: "probe"}}
	cases := map[string]struct {
		reason string
		image  string
		want   string
	}{
		"Exact":     {reason: "A tag is not of the name.", image: "registry:5000/tests/probe:v1", want: "probe"},
		"Digest":    {reason: "Nor is a digest.", image: "registry:5000/tests/probe:v1@sha256:0123", want: "probe"},
		"Beginning": {reason: "The longest beginning counts.", image: "registry:5000/tests/other", want: "all"},
		"Unknown":   {reason: "The port of a registry is of the name.", image: "registry:5001/tests/probe", want: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if p := programFor(programs, tc.image); p != nil {
				got = p.Path
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nprogramFor(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnsupported(t *testing.T) {
	cases := map[string]struct {
		reason string
		spec   corev1.PodSpec
		want   string
	}{
		"All": {
			reason: "Secrets, empty folders and the token are had.",
			spec: corev1.PodSpec{Volumes: []corev1.Volume{
				{Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}},
				{Name: "e", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "kube-api-access-abcde", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}},
			}},
		},
		"Init": {reason: "Nobody runs init containers.", spec: corev1.PodSpec{InitContainers: []corev1.Container{{}}}, want: "init containers are not run"},
		"Volume": {
			reason: "Other volumes are not had.", want: "volume v is neither of a Secret nor empty",
			spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}}},
		},
		"SubPath": {
			reason: "A part of a volume is not had.", want: "volume mount /m has a sub path",
			spec: corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{{MountPath: "/m", SubPath: "s"}}}}},
		},
		"Probe": {
			reason: "Nobody would look.", want: "a probe of container c is not over HTTP",
			spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", LivenessProbe: &corev1.Probe{}}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, unsupported(&corev1.Pod{Spec: tc.spec})); diff != "" {
				t.Errorf("\n%s\nunsupported(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "name", Namespace: "ns", UID: "uid", Labels: map[string]string{"a/b": "label"}, Annotations: map[string]string{"c": "annotation"}},
		Spec:       corev1.PodSpec{ServiceAccountName: "account"}, Status: corev1.PodStatus{PodIP: "127.1.0.1"},
	}
	secrets := map[string]*corev1.Secret{"s": {Data: map[string][]byte{"KEY": []byte("value"), "OTHER": []byte("$(KEY)")}}}
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
	}
	key := func(secret, key string, optional *bool) corev1.EnvVar {
		return corev1.EnvVar{Name: "K", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key, Optional: optional}}}
	}
	from := func(secret, prefix string, optional *bool) corev1.EnvFromSource {
		return corev1.EnvFromSource{Prefix: prefix, SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Optional: optional}}
	}
	cases := map[string]struct {
		reason string
		c      corev1.Container
		want   map[string]string
		err    string
	}{
		"Fields": {
			reason: "What is known of a Pod can be a variable.",
			c: corev1.Container{Env: []corev1.EnvVar{
				field("A", "metadata.name"), field("B", "metadata.namespace"), field("C", "metadata.uid"), field("D", "metadata.labels['a/b']"),
				field("E", "metadata.annotations['c']"), field("F", "spec.serviceAccountName"), field("G", "status.podIP"),
			}},
			want: map[string]string{"A": "name", "B": "ns", "C": "uid", "D": "label", "E": "annotation", "F": "account", "G": "127.1.0.1"},
		},
		"UnknownField": {reason: "What is not known is not empty.", c: corev1.Container{Env: []corev1.EnvVar{field("A", "status.hostIP")}}, err: "field status.hostIP is not known"},
		"Literals": {
			reason: "A value refers to those before it; what a Secret says is taken as it is.",
			c: corev1.Container{EnvFrom: []corev1.EnvFromSource{from("s", "", nil)}, Env: []corev1.EnvVar{
				{Name: "X", Value: "$(KEY)-$(LATER)-$$(KEY)"}, {Name: "LATER", Value: "l"},
			}},
			want: map[string]string{"KEY": "value", "OTHER": "$(KEY)", "X": "value-$(LATER)-$(KEY)", "LATER": "l"},
		},
		"Wins": {
			reason: "A variable of its own wins over one of a whole Secret.",
			c:      corev1.Container{EnvFrom: []corev1.EnvFromSource{from("s", "P_", nil)}, Env: []corev1.EnvVar{{Name: "P_KEY", Value: "mine"}}},
			want:   map[string]string{"P_KEY": "mine", "P_OTHER": "$(KEY)"},
		},
		"Key":           {reason: "A key of a Secret is a value.", c: corev1.Container{Env: []corev1.EnvVar{key("s", "KEY", nil)}}, want: map[string]string{"K": "value"}},
		"NoKey":         {reason: "A key has to be there.", c: corev1.Container{Env: []corev1.EnvVar{key("s", "NO", nil)}}, err: "couldn't find key NO in Secret ns/s"},
		"NoSecret":      {reason: "A Secret has to be there.", c: corev1.Container{Env: []corev1.EnvVar{key("no", "KEY", nil)}}, err: `secret "no" not found`},
		"NoWholeSecret": {reason: "A Secret has to be there.", c: corev1.Container{EnvFrom: []corev1.EnvFromSource{from("no", "", nil)}}, err: `secret "no" not found`},
		"Optional": {
			reason: "What is optional is left out.",
			c: corev1.Container{
				EnvFrom: []corev1.EnvFromSource{from("no", "", new(true))},
				Env:     []corev1.EnvVar{key("s", "NO", new(true)), key("no", "KEY", new(true))},
			},
			want: map[string]string{},
		},
		"ConfigMap": {reason: "Only Secrets are known.", c: corev1.Container{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{}}}}, err: "envFrom is of Secrets only"},
		"Resource": {
			reason: "A process has no resources of its own.", err: "variable R is neither of a field nor of a Secret",
			c: corev1.Container{Env: []corev1.EnvVar{{Name: "R", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{}}}}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := environment(pod, &tc.c, secrets)
			message := ""
			if err != nil {
				message = err.Error()
			}
			if diff := cmp.Diff(tc.err, message); diff != "" {
				t.Errorf("\n%s\nenvironment(...): -want error, +got error:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\nenvironment(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestEnvironmentSecrets(t *testing.T) {
	c := &corev1.Container{
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "b"}}}, {}},
		Env: []corev1.EnvVar{
			{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "a"}}}},
			{},
			{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "b"}}}},
		},
	}
	if diff := cmp.Diff([]string{"a", "b"}, environmentSecrets(c)); diff != "" {
		t.Errorf("environmentSecrets(...): -want, +got:\n%s", diff)
	}
}

func TestPlace(t *testing.T) {
	p := place{address: "127.1.0.1", folders: map[string]string{"/tls": "/v/tls", "/tls/server": "/v/server"}}
	cases := map[string]struct {
		reason string
		in     []string
		want   []string
	}{
		"Listens": {
			reason: "What means all addresses means the Pod's.",
			in:     []string{"--metrics=:8080", "-listen", ":80", "--a=0.0.0.0:1", "[::]:2"},
			want:   []string{"--metrics=127.1.0.1:8080", "-listen", "127.1.0.1:80", "--a=127.1.0.1:1", "127.1.0.1:2"},
		},
		"ListensNot": {
			reason: "Nothing else does.",
			in:     []string{"10.0.0.1:80", "http://:80", "--x=y:80", "a=b=:80", "--at=12:30"},
			want:   []string{"10.0.0.1:80", "http://:80", "--x=y:80", "a=b=:80", "--at=12:30"},
		},
		"Folders": {
			reason: "The longest mount point counts, wherever it begins a path.",
			in:     []string{"/tls", "--dir=/tls/server/tls.crt", "/tls/x:/tls/server:/tls/"},
			want:   []string{"/v/tls", "--dir=/v/server/tls.crt", "/v/tls/x:/v/server:/v/tls/"},
		},
		"FoldersNot": {
			reason: "A part of a name is not a mount point.",
			in:     []string{"/tls-x", "/etc/tls", "/tlsx"},
			want:   []string{"/tls-x", "/etc/tls", "/tlsx"},
		},
		"Expanded":   {reason: "Arguments refer to variables.", in: []string{"--cert=$(DIR)/tls.crt", "$$(DIR)"}, want: []string{"--cert=/v/server/tls.crt", "$(DIR)"}},
		"NoPrograms": {reason: "No arguments are none.", in: nil, want: nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &corev1.Container{Command: []string{"/app"}, Args: tc.in}
			if diff := cmp.Diff(tc.want, p.arguments(c, map[string]string{"DIR": "/tls/server"})); diff != "" {
				t.Errorf("\n%s\narguments(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"x", "y"}, p.arguments(&corev1.Container{Command: []string{"/app", "x"}, Args: []string{"y"}}, nil)); diff != "" {
		t.Errorf("arguments(...) of a command: -want, +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A=/v/tls", "B=127.1.0.1:80"}, p.variables(map[string]string{"B": ":80", "A": "/tls"})); diff != "" {
		t.Errorf("variables(...): -want, +got:\n%s", diff)
	}
}

func TestNextPodAddress(t *testing.T) {
	for last, want := range map[string]string{"127.1.0.0": "127.1.0.1", "127.1.0.1": "127.1.0.2", "127.1.0.254": "127.1.1.1", "127.1.255.254": "127.2.0.1"} {
		if diff := cmp.Diff(want, nextPodAddress(netip.MustParseAddr(last)).String()); diff != "" {
			t.Errorf("nextPodAddress(%s): -want, +got:\n%s", last, diff)
		}
	}
}
