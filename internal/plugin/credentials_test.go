// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

func TestApply(t *testing.T) {
	t.Parallel()
	access := func(person string, until time.Duration) *v1.AivenApplication {
		return personalAccess{person: person, until: now.Add(until)}.application(orders())
	}
	theirs := access("alex", time.Hour)
	theirs.Annotations[AnnotationRequestedBy] = "kim"
	type want struct {
		err   string
		until time.Time
	}
	cases := map[string]struct {
		reason string
		have   *v1.AivenApplication
		// written is how often the provider writes the status in between.
		written int
		want    want
	}{
		"New":       {reason: "There is none yet.", want: want{until: now.Add(2 * time.Hour)}},
		"Moved":     {reason: "Asked again, its end moves.", have: access("alex", time.Hour), want: want{until: now.Add(2 * time.Hour)}},
		"Conflict":  {reason: "The provider may write the status at the same time.", have: access("alex", time.Hour), written: 2, want: want{until: now.Add(2 * time.Hour)}},
		"Unsettled": {reason: "It does not try for ever.", have: access("alex", time.Hour), written: 100, want: want{err: "cannot change your application", until: now.Add(time.Hour)}},
		"Theirs":    {reason: "What is not the person's own is left alone.", have: theirs, want: want{err: "it is left alone", until: now.Add(time.Hour)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme := runtime.NewScheme()
			if err := v1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			b := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1.AivenApplication{})
			if tc.have != nil {
				b = b.WithObjects(tc.have.DeepCopy())
			}
			left := tc.written
			kube := b.WithInterceptorFuncs(interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if left--; left >= 0 {
					other := &v1.AivenApplication{}
					if err := c.Get(ctx, client.ObjectKeyFromObject(o), other); err != nil {
						return err
					}
					other.Status.Credentials = &v1.CredentialsStatus{Revision: int64(tc.written - left)}
					if err := c.Status().Update(ctx, other); err != nil {
						return err
					}
				}
				return c.Patch(ctx, o, p, opts...)
			}}).Build()
			g := &grab{session: &session{streams: Streams{Out: io.Discard, Err: io.Discard}}, cluster: &cluster{kube: kube}, of: "orders", person: "alex"}

			app := access("alex", 2*time.Hour)
			applied, err := g.apply(t.Context(), app)
			got := want{}
			if err != nil {
				got.err = err.Error()
			}
			if tc.want.err != "" && strings.Contains(got.err, tc.want.err) {
				got.err = tc.want.err
			}
			if err == nil && !applied.Spec.ExpiresAt.Equal(app.Spec.ExpiresAt) {
				t.Errorf("%s\napply(): what it returns ends %s, want %s", tc.reason, applied.Spec.ExpiresAt, app.Spec.ExpiresAt)
			}
			stored := &v1.AivenApplication{}
			if err := kube.Get(t.Context(), client.ObjectKeyFromObject(access("alex", 0)), stored); err != nil {
				t.Fatal(err)
			}
			got.until = stored.Spec.ExpiresAt.UTC()
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s\napply(): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
