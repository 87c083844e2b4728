// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
)

const (
	// tokenFolder is where a container has the token of its service account. That
	// admission mounts something there means that the container is to have one.
	tokenFolder = "/var/run/secrets/kubernetes.io/serviceaccount"
	// tokenVolume begins the name of what it mounts.
	tokenVolume = "kube-api-access-"
)

// programFor returns the program that stands for a container's image: the one
// with its name, or else with the longest beginning of it. It is nil when none
// does.
func programFor(programs []Program, image string) *Program {
	name := repository(image)
	var best *Program
	for i := range programs {
		p := &programs[i]
		if strings.HasPrefix(name, p.Image) && (best == nil || len(p.Image) > len(best.Image)) {
			best = p
		}
	}
	return best
}

// repository returns the name of an image without its tag and its digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[:i]
	}
	return image
}

// unsupported says what of a Pod only a kubelet does. It is empty when there is
// nothing.
func unsupported(pod *corev1.Pod) string {
	if len(pod.Spec.InitContainers) > 0 {
		return "init containers are not run"
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Secret == nil && v.EmptyDir == nil && !strings.HasPrefix(v.Name, tokenVolume) {
			return "volume " + v.Name + " is neither of a Secret nor empty"
		}
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for _, m := range c.VolumeMounts {
			if m.SubPath != "" || m.SubPathExpr != "" {
				return "volume mount " + m.MountPath + " has a sub path"
			}
		}
		for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
			if p != nil && p.HTTPGet == nil {
				return "a probe of container " + c.Name + " is not over HTTP"
			}
		}
	}
	return ""
}

// hasToken reports whether a container is to have the token of its service
// account.
func hasToken(c *corev1.Container) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == tokenFolder })
}

// environmentSecrets returns the names of the Secrets that a container's
// environment is made of.
func environmentSecrets(c *corev1.Container) []string {
	var out []string
	for _, f := range c.EnvFrom {
		if f.SecretRef != nil {
			out = append(out, f.SecretRef.Name)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			out = append(out, e.ValueFrom.SecretKeyRef.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// environment returns the environment that a Pod asks for a container. The
// Secrets are those of its namespace that exist, by name. It fails, in the words
// of the kubelet, when one is missing that is not optional.
func environment(pod *corev1.Pod, c *corev1.Container, secrets map[string]*corev1.Secret) (map[string]string, error) {
	env := map[string]string{}
	for _, f := range c.EnvFrom {
		if f.SecretRef == nil {
			return nil, errors.New("envFrom is of Secrets only")
		}
		s, ok := secrets[f.SecretRef.Name]
		if !ok && !isTrue(f.SecretRef.Optional) {
			return nil, errors.Errorf("secret %q not found", f.SecretRef.Name)
		}
		if ok {
			for key, value := range s.Data {
				env[f.Prefix+key] = string(value)
			}
		}
	}
	for i := range c.Env {
		value, ok, err := variable(pod, &c.Env[i], env, secrets)
		if err != nil {
			return nil, err
		}
		if ok {
			env[c.Env[i].Name] = value
		}
	}
	return env, nil
}

// variable returns the value of a variable, and whether there is one.
func variable(pod *corev1.Pod, e *corev1.EnvVar, env map[string]string, secrets map[string]*corev1.Secret) (string, bool, error) {
	switch {
	case e.ValueFrom == nil:
		return expand(e.Value, env), true, nil
	case e.ValueFrom.FieldRef != nil:
		value, err := field(pod, e.ValueFrom.FieldRef.FieldPath)
		return value, true, err
	case e.ValueFrom.SecretKeyRef == nil:
		return "", false, errors.Errorf("variable %s is neither of a field nor of a Secret", e.Name)
	}
	ref := e.ValueFrom.SecretKeyRef
	s, ok := secrets[ref.Name]
	if !ok {
		if isTrue(ref.Optional) {
			return "", false, nil
		}
		return "", false, errors.Errorf("secret %q not found", ref.Name)
	}
	value, ok := s.Data[ref.Key]
	if !ok && !isTrue(ref.Optional) {
		return "", false, errors.Errorf("couldn't find key %s in Secret %s/%s", ref.Key, pod.Namespace, ref.Name)
	}
	return string(value), ok, nil
}

// field returns a field of a Pod that a variable may be of.
func field(pod *corev1.Pod, path string) (string, error) {
	for prefix, values := range map[string]map[string]string{"metadata.labels['": pod.Labels, "metadata.annotations['": pod.Annotations} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return values[strings.TrimSuffix(rest, "']")], nil
		}
	}
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return pod.Status.PodIP, nil
	}
	return "", errors.Errorf("field %s is not known", path)
}

// reference is a variable, or what stands for a dollar sign.
var reference = regexp.MustCompile(`\$\$|\$\([^()]+\)`)

// expand replaces $(NAME) by a variable's value, if there is one, and $$ by $.
func expand(s string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(s, func(r string) string {
		if r == "$$" {
			return "$"
		}
		if value, ok := env[r[2:len(r)-1]]; ok {
			return value
		}
		return r
	})
}

// everywhere is a whole value that means a port at all addresses, or the end of
// a flag that does.
var everywhere = regexp.MustCompile(`^(-[^=]*=)?(?:0\.0\.0\.0|\[::\])?(:[0-9]+)$`)

// listenAt makes what listens at all addresses listen at one.
func listenAt(s, address string) string { return everywhere.ReplaceAllString(s, "${1}"+address+"${2}") }

// relocate replaces folders of a container, the keys, by those that stand for
// them. Only whole names of a path are replaced.
func relocate(s string, folders map[string]string) string {
	longestFirst := slices.SortedFunc(maps.Keys(folders), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var out strings.Builder
	for i := 0; i < len(s); {
		at := slices.IndexFunc(longestFirst, func(f string) bool {
			end := i + len(f)
			return strings.HasPrefix(s[i:], f) && (i == 0 || !ofPath(s[i-1])) && (end == len(s) || s[end] == '/' || !ofPath(s[end]))
		})
		if at < 0 {
			out.WriteByte(s[i])
			i++
			continue
		}
		out.WriteString(folders[longestFirst[at]])
		i += len(longestFirst[at])
	}
	return out.String()
}

// ofPath reports whether a character may be of the same path as its neighbour.
func ofPath(b byte) bool {
	return b == '/' || b == '.' || b == '-' || b == '_' || '0' <= b && b <= '9' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z'
}

// A place is where a Pod is on this machine: its address, and the folders that
// stand for the mount points of a container.
type place struct {
	address string
	folders map[string]string
}

// arguments returns the arguments of the program that stands for a container's
// image, and of the command that it may have.
func (p place) arguments(c *corev1.Container, env map[string]string) []string {
	var in []string
	if len(c.Command) > 1 {
		in = append(in, c.Command[1:]...)
	}
	var out []string
	for _, a := range append(in, c.Args...) {
		out = append(out, p.adapt(expand(a, env)))
	}
	return out
}

// variables returns an environment in the form that programs take.
func (p place) variables(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+p.adapt(env[name]))
	}
	return out
}

func (p place) adapt(s string) string { return listenAt(relocate(s, p.folders), p.address) }

func isTrue(b *bool) bool { return b != nil && *b }
