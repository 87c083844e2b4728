// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"fmt"
	"strings"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// rotateTimeout is how long a rotation is waited for. Most take seconds.
const rotateTimeout = 5 * time.Minute

func newRotate(s *session) *cobra.Command {
	var wait bool
	var timeout time.Duration
	var format string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Ask for new credentials of an application",
		Long: `Ask for new credentials of an application. The present ones work on for the overlap
(24h unless the application or its configuration says otherwise), and as long as a
pod that started before holds them: see docs/rotation.md. The request is an
annotation, which GitOps tools leave alone.

For credentials that have leaked this is too slow: delete the Secret, which revokes
what it holds at once.
` + exitCodes + `
Here 1 means that the new credentials were not published in time. The request stays.`,
		Example:           example("kubectl aivenapp rotate orders -n team-a --wait"),
		Args:              requireOne,
		ValidArgsFunction: s.completeApplications,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			c, err := s.access.connect()
			if err != nil {
				return err
			}
			r := &rotation{session: s, kube: c.kube, key: client.ObjectKey{Namespace: c.namespace, Name: args[0]}}
			if err := r.request(cmd.Context()); err != nil {
				return err
			}
			if !wait {
				return s.write(format, r.answer(nil), func(p printer) {
					p.printf("Asked for new credentials of %s. To see how it goes: kubectl aivenapp status %s -n %s\n", r.key.Name, r.key.Name, r.key.Namespace)
				})
			}
			app, err := r.wait(cmd.Context(), timeout)
			if err != nil {
				// It was asked for, which programs should know.
				if format == formatText {
					return err
				}
				if writeErr := s.write(format, r.answer(nil), nil); writeErr != nil {
					return writeErr
				}
				return err
			}
			x := r.answer(app)
			return s.write(format, x, func(p printer) { p.rotation(x, s.now()) })
		},
	}
	bindFormat(cmd, &format)
	cmd.Flags().BoolVarP(&wait, "wait", "w", false, "Wait until the new credentials are published")
	cmd.Flags().DurationVar(&timeout, "timeout", rotateTimeout, "How long to wait")
	return cmd
}

// A Rotation is the answer of kubectl aivenapp rotate. Its JSON is API.
type Rotation struct {
	Header `json:",inline"`

	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// RequestedAt is the value of the annotation that asks for it.
	RequestedAt string `json:"requestedAt"`
	// Revision that is published; absent: that was not waited for.
	Revision int64 `json:"revision,omitempty"`
	// Secrets that it is published in.
	Secrets []string `json:"secrets,omitempty"`
	// PreviousUntil is how long the users before work at least; absent: they are gone.
	PreviousUntil *metav1.Time `json:"previousUntil,omitempty"`
}

// A rotation that somebody asked for.
type rotation struct {
	*session

	kube client.Client
	key  client.ObjectKey
	// value of the annotation that asks for it.
	value string
	// said is the progress that was told last.
	said string
}

// request asks for the rotation.
func (r *rotation) request(ctx context.Context) error {
	app := &v1.AivenApplication{}
	if err := r.kube.Get(ctx, r.key, app); err != nil {
		return errors.Wrap(err, "cannot get the application")
	}
	if app.Expired(r.now()) {
		return wrongError{text: fmt.Sprintf("The access of %s has ended: there is nothing to rotate. Move spec.expiresAt to have access again.", r.key.Name)}
	}
	want := app.DeepCopy()
	r.value = r.now().UTC().Format(time.RFC3339Nano)
	metav1.SetMetaDataAnnotation(&want.ObjectMeta, v1.AnnotationRotate, r.value)
	return errors.Wrap(r.kube.Patch(ctx, want, client.MergeFrom(app)), "cannot ask for a rotation")
}

// wait returns the application when the rotation is published, and tells how it
// goes meanwhile.
func (r *rotation) wait(ctx context.Context, timeout time.Duration) (*v1.AivenApplication, error) {
	last := &v1.AivenApplication{}
	err := r.every(ctx, timeout, func(ctx context.Context) (bool, error) {
		app := &v1.AivenApplication{}
		if err := r.kube.Get(ctx, r.key, app); err != nil {
			return false, errors.Wrap(err, "cannot get the application")
		}
		last = app
		done, text := rotationProgress(app, r.value)
		if text != r.said {
			r.progress(text)
			r.said = text
		}
		return done, nil
	})
	if errors.Is(err, errTimeout) {
		_, text := rotationProgress(last, r.value)
		return nil, wrongError{text: fmt.Sprintf("no new credentials after %s: %s. The request stays, and the present credentials work on.", timeout, strings.TrimSuffix(text, "."))}
	}
	if err != nil {
		return nil, err
	}
	return last, nil
}

// answer returns what came of it: of an application in which it is published, nil
// when that was not waited for.
func (r *rotation) answer(app *v1.AivenApplication) *Rotation {
	out := &Rotation{Header: header("Rotation"), Namespace: r.key.Namespace, Name: r.key.Name, RequestedAt: r.value}
	if app == nil {
		return out
	}
	c := app.Status.Credentials
	out.Revision, out.Secrets = c.Revision, app.PublishedNames()
	if c.Previous != nil {
		out.PreviousUntil = &c.Previous.RetireAfter
	}
	return out
}

// rotation writes that a rotation is done.
func (p printer) rotation(x *Rotation, now time.Time) {
	p.printf("%s revision %d is published in %s.\n", good.as("Done:"), x.Revision, first(x.Secrets))
	if x.PreviousUntil != nil {
		p.printf("The users before work until %s at least. Restart the pods before the next rotation.\n", moment(x.PreviousUntil, now))
	}
}

// rotationProgress tells how far a rotation is, and whether it is published. Pure.
func rotationProgress(app *v1.AivenApplication, value string) (done bool, text string) {
	c, rotated, asked := app.Status.Credentials, app.GetCondition(v1.TypeRotated), app.GetAnnotations()[v1.AnnotationRotate]
	switch {
	// Who asked after this one is met by what is made for both.
	case c != nil && (c.RequestAnnotation == value || c.RequestAnnotation != "" && c.RequestAnnotation == asked && asked != value):
		return true, fmt.Sprintf("revision %d is published", c.Revision)
	case c == nil || c.IssuedAt == nil:
		ready := app.GetCondition(xpv2.TypeReady)
		return false, "the application has no credentials yet" + tail(orElse(ready.Message, string(ready.Reason)))
	case rotated.Status == corev1.ConditionFalse && rotated.Reason != v1.ReasonRotating:
		return false, string(rotated.Reason) + tail(rotated.Message)
	case c.Next != nil:
		return false, fmt.Sprintf("revision %d is being made since %s", c.Next.Revision, c.Next.Since.UTC().Format(time.TimeOnly+" MST"))
	default:
		return false, "waiting for the provider"
	}
}
