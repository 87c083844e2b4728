// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aivensim"
	"github.com/provider-aiven/provider-aiven/internal/plugin"
	"github.com/provider-aiven/provider-aiven/test/harness"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	text := kubectl(t, "status", "orders", "-n", te.namespace).want(t, plugin.ExitFine).out
	for _, want := range []string{"AivenApplication " + te.namespace + "/orders  Ready", "valkey/cache", te.valkey(), "Secret orders-aiven", "Nothing is wrong."} {
		if !strings.Contains(text, want) {
			t.Errorf("status should say %q. It says:\n%s", want, text)
		}
	}
	got := plugin.Status{}
	if err := json.Unmarshal([]byte(kubectl(t, "status", "orders", "-n", te.namespace, "-o", "json").want(t, plugin.ExitFine).out), &got); err != nil {
		t.Fatalf("cannot read what status wrote: %v", err)
	}
	if len(got.Users) != 2 || len(got.Secrets) != 1 || !got.Ready || got.Revisions[0].Number != 1 {
		t.Errorf("status should hold two users and a Secret of revision 1. It is %+v", got)
	}
	kubectl(t, "status", "nobody", "-n", te.namespace).want(t, plugin.ExitUsage)
}

func TestRotate(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	r := kubectl(t, "rotate", "orders", "-n", te.namespace, "--wait").want(t, plugin.ExitFine)
	if !strings.Contains(r.out, "revision 2 is published in orders-aiven") {
		t.Errorf("rotate should say what was published. It says:\n%s%s", r.out, r.err)
	}
	a := &v1.AivenApplication{}
	if err := h.Kube.Get(t.Context(), client.ObjectKey{Namespace: te.namespace, Name: "orders"}, a); err != nil {
		t.Fatal(err)
	}
	if c := a.Status.Credentials; c.Revision != 2 || c.Next != nil {
		t.Errorf("rotate --wait should return when revision 2 is published. The status is %+v", c)
	}

	got := plugin.Rotation{}
	if err := json.Unmarshal([]byte(kubectl(t, "rotate", "orders", "-n", te.namespace, "--wait", "-o", "json").want(t, plugin.ExitFine).out), &got); err != nil {
		t.Fatalf("cannot read what rotate wrote: %v", err)
	}
	if got.Revision != 3 || !slices.Equal(got.Secrets, []string{"orders-aiven"}) {
		t.Errorf("rotate should say that revision 3 is published. It says %+v", got)
	}
}

func TestRotateBlocked(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	h.Sim.SetServiceState(te.project, te.valkey(), "POWEROFF")
	r := kubectl(t, "rotate", "orders", "-n", te.namespace, "--wait", "--timeout", "5s").want(t, plugin.ExitWrong)
	if !strings.Contains(r.err, "the present credentials work on") {
		t.Errorf("rotate should say what follows. It says:\n%s%s", r.out, r.err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	dir := filepath.Join(t.TempDir(), "mine")
	get := []string{"credentials", "orders", "-n", te.namespace, "--dir", dir, "--purpose", "test", "--for", "30m"}
	kubectl(t, get...).want(t, plugin.ExitFine)
	private(t, dir)

	username, password := variable(t, dir, "VALKEY_USERNAME_CACHE"), variable(t, dir, "VALKEY_PASSWORD_CACHE")
	if !h.Sim.Login(te.project, te.valkey(), username, password) {
		t.Error("the service should accept the credentials in the file")
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(variable(t, dir, name))
		if err != nil {
			t.Fatalf("cannot read the file that %s names: %v", name, err)
		}
		return b
	}
	if !h.Sim.LoginCertificate(te.project, "kafka", read("KAFKA_CERTIFICATE_PATH"), read("KAFKA_PRIVATE_KEY_PATH")) {
		t.Error("Kafka should accept the certificate in the files")
	}

	kubectl(t, append(get, "--output", "properties")...).want(t, plugin.ExitFine)
	private(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "credentials.env")); !os.IsNotExist(err) {
		t.Errorf("what was written before in another form should be gone: %v", err)
	}
	list := &v1.AivenApplicationList{}
	if err := h.Kube.List(t.Context(), list, client.InNamespace(te.namespace), client.MatchingLabels{plugin.LabelAccessTo: "orders"}); err != nil || len(list.Items) != 1 {
		t.Fatalf("there should be one application for the person: %v, %v", list.Items, err)
	}
	mine := &list.Items[0]
	if mine.Spec.ExpiresAt == nil || mine.GetAnnotations()[plugin.AnnotationPurpose] != "test" || mine.GetAnnotations()[plugin.AnnotationRequestedBy] == "" {
		t.Errorf("the application should end, and say who wants it and why. It is %+v", mine)
	}

	kubectl(t, "credentials", "orders", "-n", te.namespace, "--dir", dir, "--revoke").want(t, plugin.ExitFine)
	if h.Sim.Login(te.project, te.valkey(), username, password) {
		t.Error("the service should not accept what was revoked")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the files should be gone: %v", err)
	}
	if err := h.Kube.Get(t.Context(), client.ObjectKeyFromObject(mine), mine); !kerrors.IsNotFound(err) {
		t.Errorf("the person's application should be gone: %v", err)
	}
	kubectl(t, "status", "orders", "-n", te.namespace).want(t, plugin.ExitFine)
}

func TestCredentialsOfAnother(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "diary"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "credentials", "orders", "-n", te.namespace, "--dir", dir).want(t, plugin.ExitUsage)
	dir = filepath.Join(t.TempDir(), "stranger")
	r := kubectl(t, "credentials", "orders", "-n", te.namespace, "--dir", dir, "--as", "stranger").want(t, plugin.ExitUsage)
	if !strings.Contains(r.err, "forbidden") {
		t.Errorf("a person without rights should be told so: %s", r.err)
	}
	list := &v1.AivenApplicationList{}
	if err := h.Kube.List(t.Context(), list, client.InNamespace(te.namespace)); err != nil || len(list.Items) != 1 {
		t.Errorf("nothing should have been made: %v, %v", list.Items, err)
	}
}

// examine returns what doctor says about the tenant's namespace, by check.
func (te tenant) examine() map[string]plugin.Check {
	te.t.Helper()
	x := plugin.Examination{}
	if err := json.Unmarshal([]byte(kubectl(te.t, "doctor", "-n", te.namespace, "-o", "json").out), &x); err != nil {
		te.t.Fatalf("cannot read what doctor wrote: %v", err)
	}
	out := make(map[string]plugin.Check)
	for _, c := range x.Checks {
		out[c.Name] = c
	}
	return out
}

// diagnosed waits until doctor says of each check what is wanted, of all others that
// they are fine, and ends with the exit code.
func (te tenant) diagnosed(what string, code int, not map[string]string) {
	te.t.Helper()
	want := map[string]string{
		"api": "fine", "provider": "fine", "rights": "warning", "configurations": "fine", "applications": "fine",
		"quotas": "fine", "managed": "fine", "orphans": "fine", "secrets": "fine",
	}
	maps.Copy(want, not)
	harness.Eventually(te.t, what, func(context.Context) error {
		got := make(map[string]string)
		for name, c := range te.examine() {
			got[name] = c.Verdict
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.New(diff)
		}
		return nil
	})
	kubectl(te.t, "doctor", "-n", te.namespace).want(te.t, code)
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	te.diagnosed("nothing is wrong but the right that the provider lacks", plugin.ExitFine, nil)
	if fs := te.examine()["rights"].Findings; len(fs) != 1 || fs[0].Reason != "MissingRights" || !strings.Contains(fs[0].Message, "get valkeys.aiven.io") {
		t.Errorf("doctor should name the rights that the provider lacks. It says %+v", fs)
	}
	te.setToken("not-a-token")
	te.diagnosed("the token is found broken", plugin.ExitWrong, map[string]string{"configurations": "problem", "applications": "problem"})
	te.setToken(te.token)
	te.diagnosed("the token is found mended", plugin.ExitFine, nil)

	r := kubectl(t, "doctor", "-n", te.namespace, "--as", "stranger").want(t, plugin.ExitFine)
	if !strings.Contains(r.out, "you may not list secrets in namespace "+te.namespace) {
		t.Errorf("doctor should say what a person may not see. It says:\n%s", r.out)
	}
}

// TestDoctorFinds: what takes neither an hour nor a minute to go wrong is found.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	h.Sim.AddService(te.project, aivensim.Service{Name: "valkey-" + te.namespace + "-full", Type: "valkey", UserLimit: 1})
	te.create(&v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{Name: "late", Namespace: te.namespace},
		Spec:       v1.AivenApplicationSpec{Valkey: []v1.ValkeySpec{{Instance: "full"}}},
	})
	alone := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Name: "alone", Namespace: te.namespace}}
	alone.Spec.ForProvider.Project, alone.Spec.ForProvider.ServiceName = te.project, "valkey-"+te.namespace+"-gone"
	alone.Spec.ProviderConfigReference = &xpv2.ProviderConfigReference{Kind: v1alpha1.ProviderConfigKind, Name: "default"}
	te.create(alone)
	h.Sim.AddUser(te.project, te.valkey(), "team_app_0123abcd_xyz")
	te.diagnosed("all of it is found", plugin.ExitWrong, map[string]string{"quotas": "problem", "managed": "problem", "orphans": "note"})
	found := te.examine()
	for name, want := range map[string]string{"quotas": "late QuotaExceeded", "managed": "ValkeyServiceUser/alone ServiceNotFound", "orphans": "ProviderConfig/default UnclaimedUsers"} {
		var got []string
		for _, f := range found[name].Findings {
			got = append(got, strings.Join(f.Objects, ",")+" "+f.Reason)
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}

func TestJanitor(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	r := kubectl(t, "janitor", "--dry-run", "-n", te.namespace).want(t, plugin.ExitFine)
	if !strings.Contains(r.out, "An application names it") {
		t.Errorf("janitor should say why a Secret stays. It says:\n%s", r.out)
	}
	kubectl(t, "janitor", "-n", te.namespace).want(t, plugin.ExitUsage)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	te := newTenant(t)
	if r := kubectl(t, cobra.ShellCompRequestCmd, "status", "-n", te.namespace, "--kubeconfig", kubeconfig, "or"); !strings.HasPrefix(r.out, "orders\n") {
		t.Errorf("the name of an application should be completed. It says:\n%s%s", r.out, r.err)
	}
}

// private fails the test unless nobody else may read what is in a folder.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s: %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// variable returns what a shell makes of a variable of the file.
func variable(t *testing.T, dir, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$0" && printf %s "$`+name+`"`, filepath.Join(dir, "credentials.env")).Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("cannot read %s: %q, %v", name, out, err)
	}
	return string(out)
}
