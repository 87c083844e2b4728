// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/plugin/clientfiles"
)

const (
	defaultAccess = time.Hour
	minAccess     = time.Minute
	maxAccess     = 24 * time.Hour

	credentialsTimeout = 2 * time.Minute
)

// credentialsOptions are the flags.
type credentialsOptions struct {
	format, dir, purpose string
	duration, timeout    time.Duration
	readOnly, revoke     bool
}

func newCredentials(s *session) *cobra.Command {
	var o credentialsOptions
	cmd := &cobra.Command{
		Use:   "credentials NAME",
		Short: "Get time-limited credentials of your own for the services of an application",
		Long: `Get credentials of your own for the services that an application uses. This makes
an AivenApplication of your own beside it, which ends by itself: its users are
deleted at Aiven then, and so is its Secret. Nothing of the application itself
changes. The credentials are written into files that only you can read, never to
the terminal.

You need the right to create AivenApplications and to read Secrets in the namespace
(Kubernetes' role edit has both). Asked again, it gives the same credentials and
moves their end; in files of another form, if you want.
` + exitCodes + `
Here 1 means that the credentials were not ready in time, or did not go in time.`,
		Example: example(
			"kubectl aivenapp credentials orders -n team-a --for 2h --purpose 'look at stuck orders'",
			". orders-credentials/credentials.env",
			"kubectl aivenapp credentials orders -n team-a --output kcat && kcat -F orders-credentials/kcat.conf -L",
			"kubectl aivenapp credentials orders -n team-a --revoke"),
		Args:              requireOne,
		ValidArgsFunction: s.completeApplications,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return s.credentials(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.format, "output", "o", string(clientfiles.Env), "Form of the files: env (a shell, all services), properties (Java's Kafka clients) or kcat")
	f.DurationVar(&o.duration, "for", defaultAccess, "How long the access lasts, at most 24h")
	f.StringVar(&o.dir, "dir", "", "Folder to write into (default ./NAME-credentials)")
	f.StringVar(&o.purpose, "purpose", "", "Why you need it, for whoever looks later")
	f.BoolVar(&o.readOnly, "read-only", false, "Access to read only, whatever the application may do")
	f.BoolVar(&o.revoke, "revoke", false, "End the access now, and remove the files")
	f.DurationVar(&o.timeout, "timeout", credentialsTimeout, "How long to wait")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(clientfiles.Formats(), cobra.ShellCompDirectiveNoFileComp)) // The flag is there.
	return cmd
}

func (o credentialsOptions) check() error {
	if !slices.Contains(clientfiles.Formats(), o.format) {
		return errors.Errorf("unknown form %q: use %s", o.format, strings.Join(clientfiles.Formats(), ", "))
	}
	if o.duration < minAccess || o.duration > maxAccess {
		return errors.Errorf("--for is from 1m to 24h, not %s", o.duration)
	}
	return nil
}

// A grab gets a person's own credentials for an application.
type grab struct {
	*session

	cluster *cluster
	of      string
	person  string
	options credentialsOptions
	// dir is the absolute path of the folder.
	dir string
	// blind says that the person may not see the users.
	blind bool
}

func (s *session) credentials(ctx context.Context, of string, o credentialsOptions) error {
	dir, err := filepath.Abs(cmp.Or(o.dir, of+"-credentials"))
	if err != nil {
		return errors.Wrap(err, "cannot find the folder")
	}
	c, err := s.access.connect()
	if err != nil {
		return err
	}
	person, err := c.person(ctx)
	if err != nil {
		return err
	}
	g := &grab{session: s, cluster: c, of: of, person: person, options: o, dir: dir}
	if o.revoke {
		return g.revoke(ctx)
	}
	return g.get(ctx)
}

// get makes the access, waits for it and writes the files.
func (g *grab) get(ctx context.Context) error {
	of, err := g.cluster.application(ctx, g.of)
	if err != nil {
		return err
	}
	if by := of.GetAnnotations()[AnnotationAccessTo]; by != "" {
		return errors.Errorf("%s is somebody's own access to %s: name that", g.of, by)
	}
	if of.Spec.Kafka == nil && g.options.format != string(clientfiles.Env) {
		return errors.Errorf("%s has no Kafka: use --output env", g.of)
	}
	access := personalAccess{person: g.person, purpose: g.options.purpose, until: g.now().Add(g.options.duration), readOnly: g.options.readOnly}
	want := access.application(of)
	// Before anything is made: a folder that cannot be written to is of no use.
	f, err := openFolder(g.dir, want.GetNamespace(), want.GetName())
	if err != nil {
		return err
	}
	defer func() {
		_ = f.close()
		_ = os.Remove(g.dir) // When nothing came of it.
	}()
	app, err := g.apply(ctx, want)
	if err != nil {
		return err
	}
	if app, err = g.ready(ctx, app); err != nil {
		return err
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: app.GetNamespace(), Name: app.Spec.SecretName}
	if err := g.cluster.kube.Get(ctx, key, secret); err != nil {
		return errors.Wrap(err, "cannot read your Secret")
	}
	files, err := clientfiles.Render(clientfiles.Format(g.options.format), secret.Data, g.dir)
	if err != nil {
		return errors.Wrap(err, "cannot write the files")
	}
	if err := f.write(files); err != nil {
		return err
	}
	g.tell(app, files)
	return nil
}

// apply makes the access, or moves the end of the one that is there.
func (g *grab) apply(ctx context.Context, want *v1.AivenApplication) (*v1.AivenApplication, error) {
	err := g.cluster.kube.Create(ctx, want)
	if err == nil {
		g.progress(fmt.Sprintf("Made the AivenApplication %s in namespace %s", want.GetName(), want.GetNamespace()))
		return want, nil
	}
	if !kerrors.IsAlreadyExists(err) {
		return nil, errors.Wrap(err, "cannot make your application")
	}
	var moved *v1.AivenApplication
	// The provider writes the status at any time.
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
		moved, err = g.move(ctx, want)
		return err
	})
	if err != nil {
		return nil, err //nolint:wrapcheck // move does.
	}
	g.progress(fmt.Sprintf("Moved the end of your access, the AivenApplication %s", moved.GetName()))
	return moved, nil
}

// move moves the end of the access that is there, and what it gives access to. An
// application that is not the person's own stays as it is.
func (g *grab) move(ctx context.Context, want *v1.AivenApplication) (*v1.AivenApplication, error) {
	have := &v1.AivenApplication{}
	if err := g.cluster.kube.Get(ctx, client.ObjectKeyFromObject(want), have); err != nil {
		return nil, errors.Wrap(err, "cannot get your application")
	}
	if err := checkMine(have, g.of, g.person); err != nil {
		return nil, err
	}
	next := have.DeepCopy()
	next.Spec = want.Spec
	metav1.SetMetaDataLabel(&next.ObjectMeta, LabelAccessTo, want.GetLabels()[LabelAccessTo])
	for k, v := range want.GetAnnotations() {
		metav1.SetMetaDataAnnotation(&next.ObjectMeta, k, v)
	}
	err := g.cluster.kube.Patch(ctx, next, client.MergeFromWithOptions(have, client.MergeFromWithOptimisticLock{}))
	return next, errors.Wrap(err, "cannot change your application")
}

// ready waits until the access is there.
func (g *grab) ready(ctx context.Context, app *v1.AivenApplication) (*v1.AivenApplication, error) {
	key, said := client.ObjectKeyFromObject(app), ""
	err := g.every(ctx, g.options.timeout, func(ctx context.Context) (bool, error) {
		now := &v1.AivenApplication{}
		if err := g.cluster.kube.Get(ctx, key, now); err != nil {
			return false, errors.Wrap(err, "cannot get your application")
		}
		app = now
		c := now.GetCondition(xpv2.TypeReady)
		if c.ObservedGeneration == now.GetGeneration() && c.Status == corev1.ConditionTrue && now.Published(now.Spec.SecretName) {
			return true, nil
		}
		if text := waitsFor(now, c); text != said {
			g.progress(text)
			said = text
		}
		return false, nil
	})
	if errors.Is(err, errTimeout) {
		return nil, wrongError{text: fmt.Sprintf("your access is not ready after %s: %s. It ends by itself (%s); to end it now: %s", g.options.timeout, strings.TrimSuffix(said, "."), moment(app.Spec.ExpiresAt, g.now()), g.revokeCommand())}
	}
	return app, err
}

func waitsFor(app *v1.AivenApplication, c xpv2.Condition) string {
	if c.Status == corev1.ConditionUnknown || c.ObservedGeneration != app.GetGeneration() {
		return "Waiting for the provider"
	}
	text := "Waiting: " + string(c.Reason) + tail(c.Message)
	if advice := adviceOn(c.Reason); advice != "" && c.Reason != v1.ReasonCreating {
		text += ". What to do: " + advice
	}
	return text
}

// tell says what there is now, and what to do with it.
func (g *grab) tell(app *v1.AivenApplication, files map[string][]byte) {
	p := g.printer()
	p.printf("%s your own access to the services of %s, until %s\n", good.as("Done:"), g.of, moment(app.Spec.ExpiresAt, g.now()))
	for _, n := range accessNotes(app, g.of) {
		p.printf("  %s\n", n)
	}
	p.printf("\nWritten to %s, for you alone to read:\n", g.dir)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		p.printf("  %s\n", name)
	}
	p.printf("\nTo use it:\n")
	main := clientfiles.Word(filepath.Join(g.dir, clientfiles.Format(g.options.format).Main()))
	for _, line := range hints(clientfiles.Format(g.options.format), app, main) {
		p.printf("  %s\n", line)
	}
	p.printf("\nTo end it now, at Aiven too, and remove the files:\n  %s\n", g.revokeCommand())
	p.printf("When its time is over the users and the Secret go by themselves, and what is left is the AivenApplication %s,\nwhich the same command removes. The files stay until then: they are of no use to anybody any more.\n", app.GetName())
}

func (g *grab) revokeCommand() string {
	out := fmt.Sprintf("kubectl aivenapp credentials %s -n %s --revoke", g.of, g.cluster.namespace)
	if g.options.dir != "" {
		out += " --dir " + clientfiles.Word(g.options.dir)
	}
	return out
}

// hints returns commands to try. They name variables, never what these hold.
func hints(f clientfiles.Format, app *v1.AivenApplication, main string) []string {
	switch f {
	case clientfiles.Properties:
		return []string{"kafka-topics.sh --bootstrap-server \"$(sed -n 's/^bootstrap.servers=//p' " + main + ")\" --command-config " + main + " --list"}
	case clientfiles.Kcat:
		return []string{"kcat -F " + main + " -L"}
	case clientfiles.Env:
	}
	out := []string{". " + main}
	for _, v := range app.Spec.Valkey {
		n := valkeyVariable(v.Instance)
		out = append(out, fmt.Sprintf(`REDISCLI_AUTH="$VALKEY_PASSWORD_%[1]s" valkey-cli --tls -h "$VALKEY_HOST_%[1]s" -p "$VALKEY_PORT_%[1]s" --user "$VALKEY_USERNAME_%[1]s"`, n))
	}
	if app.Spec.OpenSearch != nil {
		out = append(out, `printf 'user = "%s:%s"\n' "$OPEN_SEARCH_USERNAME" "$OPEN_SEARCH_PASSWORD" | curl -K - "$OPEN_SEARCH_URI/_cat/indices"`)
	}
	return out
}

// valkeyVariable returns how variables of an instance end.
func valkeyVariable(instance string) string {
	return strings.ToUpper(strings.ReplaceAll(instance, "-", "_"))
}
