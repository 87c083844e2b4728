// SPDX-License-Identifier: Apache-2.0

package application

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/providerconfig"
	"github.com/provider-aiven/provider-aiven/internal/revision"
)

const day = 24 * time.Hour

// noon is when the reconciles of the tests happen.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(d)) }

// services of the application of the tests. Kafka and Valkey share a Secret.
func services() v1.AivenApplicationSpec {
	return v1.AivenApplicationSpec{
		Kafka:      &v1.KafkaSpec{Pool: "pool"},
		OpenSearch: &v1.OpenSearchSpec{Instance: "logs", SecretName: "search"},
		Valkey:     []v1.ValkeySpec{{Instance: "a"}},
	}
}

// parse splits the name of a user of the tests, which is "<service>-<revision>".
func parse(name string) (section, int64) {
	i := strings.LastIndexByte(name, '-')
	number, _ := strconv.ParseInt(name[i+1:], 10, 64)
	all, _ := sections(application(services()), settings(), nil)
	return all[slices.IndexFunc(all, func(s section) bool { return s.id() == name[:i] })], number
}

// users returns what the status says of users.
func users(names ...string) []v1.UserStatus {
	var out []v1.UserStatus
	for _, name := range names {
		s, number := parse(name)
		out = append(out, v1.UserStatus{Service: s.id(), Project: s.target.project, ServiceName: s.target.service, Username: name, Revision: number})
	}
	return out
}

// made returns the managed resource of a user, which is ready.
func made(name string, with ...func(mg composed)) composed {
	s, number := parse(name)
	mg := compose(application(services()), providerconfig.Access{Config: settings().Ref}, s, origin{revision: number}, nil).object
	meta.SetExternalName(mg, name)
	mg.SetConditions(xpv2.Available())
	mg.SetOwnerReferences([]metav1.OwnerReference{meta.AsController(meta.TypedReferenceTo(application(services()), v1.AivenApplicationGroupVersionKind))})
	for _, w := range with {
		w(mg)
	}
	return mg
}

// restored takes the owners from a managed resource, as a backup does.
func restored(mg composed) { mg.SetOwnerReferences(nil) }

func making(names ...string) []composed {
	var out []composed
	for _, name := range names {
		out = append(out, made(name))
	}
	return out
}

func deleting(mg composed) { mg.SetDeletionTimestamp(new(at(0))) }

func unready(r xpv2.ConditionReason) func(mg composed) {
	return func(mg composed) { mg.SetConditions(v1.NotReady(r, "")) }
}

// elsewhere has a user be one of another service than the application asks for.
func elsewhere(mg composed) {
	if k, ok := mg.(*v1alpha1.KafkaServiceUser); ok {
		k.Spec.ForProvider.ServiceName = "another-kafka"
	}
}

// credentials returns those of a revision that was issued ten days ago.
func credentials(number int64, names []string, with ...func(c *v1.CredentialsStatus)) *v1.CredentialsStatus {
	c := &v1.CredentialsStatus{Revision: number, IssuedAt: new(at(-10 * day)), Users: users(names...)}
	for _, w := range with {
		w(c)
	}
	return c
}

func previous(number int64, since time.Duration, names ...string) func(c *v1.CredentialsStatus) {
	return func(c *v1.CredentialsStatus) {
		c.Previous = &v1.PreviousStatus{Revision: number, Since: at(since), RetireAfter: at(since + day), Users: users(names...)}
	}
}

func coming(number int64, reason v1.RotationReason, of ...string) func(c *v1.CredentialsStatus) {
	return func(c *v1.CredentialsStatus) {
		c.Next = &v1.NextStatus{Revision: number, Reason: reason, Since: at(-time.Hour), Services: of}
	}
}

func heard(annotation string) func(c *v1.CredentialsStatus) {
	return func(c *v1.CredentialsStatus) { c.RequestAnnotation = annotation }
}

// lifeOf returns the life of an application with its Secrets published.
func lifeOf(c *v1.CredentialsStatus, existing ...composed) *life {
	app := application(services())
	app.Status.Credentials = c
	l := &life{
		app: app, access: providerconfig.Access{Config: settings().Ref}, policy: revision.Policy{Interval: 30 * day, Overlap: day},
		existing: make(map[string]composed), secrets: make(map[string]*corev1.Secret),
	}
	l.sections, _ = sections(app, settings(), nil)
	for _, mg := range existing {
		l.existing[key(mg)] = mg
	}
	for _, name := range app.SecretNames() {
		app.Status.Secrets = append(app.Status.Secrets, v1.SecretStatus{Name: name})
		l.secrets[name] = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	return l
}

// without removes sections from the spec.
func (l *life) without(ids ...string) {
	l.sections = slices.DeleteFunc(l.sections, func(s section) bool { return slices.Contains(ids, s.id()) })
}

// alive returns managed resources as users of their sections.
func alive(mgs ...composed) []liveUser {
	var out []liveUser
	for _, mg := range mgs {
		out = append(out, liveUser{desiredUser{section: sectionOf(mg), revision: v1.RevisionOf(mg), object: mg}, mg})
	}
	return out
}

func usernames(mgs []composed) []string {
	var out []string
	for _, mg := range mgs {
		out = append(out, meta.GetExternalName(mg))
	}
	return out
}

var (
	first  = []string{"kafka-1", "opensearch-1", "valkey/a-1"}
	second = []string{"kafka-2", "opensearch-2", "valkey/a-2"}
)

func TestNumber(t *testing.T) {
	cases := map[string]struct {
		reason   string
		c        *v1.CredentialsStatus
		existing []composed
		want     int64
	}{
		"First":     {reason: "The first revision is 1.", want: 1},
		"Published": {reason: "New users join what is published.", c: credentials(2, second), existing: making("kafka-3"), want: 2},
		"Forgotten": {reason: "Without a status the newest users that there are go on.", existing: making("kafka-1", "opensearch-3", "valkey/a-2"), want: 3},
		"Ended":     {reason: "What ended is never brought back.", c: &v1.CredentialsStatus{Revision: 3}, existing: making("kafka-3"), want: 4},
		"Unmarked": {
			reason:   "A user that does not say its revision is one of the first.",
			existing: []composed{made("kafka-3", func(mg composed) { meta.AddAnnotations(mg, map[string]string{v1.AnnotationRevision: "three"}) })},
			want:     1,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := lifeOf(tc.c, tc.existing...).number(); got != tc.want {
				t.Errorf("%s: want %d, got %d", tc.reason, tc.want, got)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	type want struct {
		revision int64
		user     string
	}
	cases := map[string]struct {
		reason   string
		c        *v1.CredentialsStatus
		existing []composed
		want     want
	}{
		"New":           {reason: "A user that is not there is made for the present revision.", want: want{1, ""}},
		"Added":         {reason: "A section that was added joins what is published.", c: credentials(2, []string{"valkey/a-2"}), want: want{2, ""}},
		"Published":     {reason: "The user that is published counts, whatever else there is.", c: credentials(1, first, coming(2, v1.RotationScheduled)), existing: making("kafka-1", "kafka-2"), want: want{1, "kafka-1"}},
		"CarriedOver":   {reason: "A user that a revision did not replace keeps its own.", c: credentials(2, []string{"kafka-1"}), existing: making("kafka-1"), want: want{1, "kafka-1"}},
		"PublishedGone": {reason: "One that is gone is the same user still, until it is replaced.", c: credentials(2, []string{"kafka-1"}), existing: making("kafka-2"), want: want{1, ""}},
		"Unnumbered":    {reason: "A status without the revisions of users was written when there was one.", c: credentials(1, []string{"kafka-0"}), want: want{1, ""}},
		"Forgotten":     {reason: "Without a status the newest user there is goes on.", existing: making("kafka-1", "kafka-2"), want: want{2, "kafka-2"}},
		"Back":          {reason: "A section that comes back gets the user that it left.", c: credentials(2, []string{"valkey/a-2"}, previous(1, -time.Hour, "kafka-1")), existing: making("kafka-1"), want: want{1, "kafka-1"}},
		"Going":         {reason: "A user that is being deleted is not taken up again.", c: credentials(2, []string{"valkey/a-2"}), existing: []composed{made("kafka-1", deleting)}, want: want{2, ""}},
		"ComingToo":     {reason: "Users of a revision in the making are not the present ones.", c: credentials(1, []string{"valkey/a-1"}, coming(2, v1.RotationScheduled)), existing: making("kafka-2"), want: want{1, ""}},
		"OtherService":  {reason: "A user of another service of the kind is not it.", c: credentials(2, []string{"valkey/a-2"}), existing: []composed{made("kafka-1", elsewhere)}, want: want{2, ""}},
		"Moved":         {reason: "Neither is one that is published, once the section is of another service.", c: credentials(2, []string{"kafka-1"}, func(c *v1.CredentialsStatus) { c.Users[0].ServiceName = "another-kafka" }), existing: []composed{made("kafka-1", elsewhere)}, want: want{2, ""}},
		"Twins": {
			reason:   "Of two of one revision it is always the same.",
			existing: []composed{made("kafka-1", func(mg composed) { mg.SetName("b") }), made("kafka-1", func(mg composed) { mg.SetName("a"); meta.SetExternalName(mg, "of-a") })},
			want:     want{1, "of-a"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, _ := parse("kafka-1")
			o := lifeOf(tc.c, tc.existing...).origin(s)
			got := want{revision: o.revision}
			if o.existing != nil {
				got.user = meta.GetExternalName(o.existing)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestWantedUsers(t *testing.T) {
	type want struct {
		current, next []string
	}
	firstObjects := []string{"orders-kafka-r1", "orders-opensearch-r1", "orders-valkey-a-r1"}
	cases := map[string]struct {
		reason  string
		c       *v1.CredentialsStatus
		without []string
		want    want
	}{
		"New":      {reason: "Every section gets a user.", want: want{current: firstObjects}},
		"Rotating": {reason: "A rotation brings a new user for each, beside those that there are.", c: credentials(1, first, coming(2, v1.RotationScheduled)), want: want{firstObjects, []string{"orders-kafka-r2", "orders-opensearch-r2", "orders-valkey-a-r2"}}},
		"Lost":     {reason: "What was lost is replaced alone.", c: credentials(1, first, coming(2, v1.RotationUserVanished, "valkey/a")), want: want{firstObjects, []string{"orders-valkey-a-r2"}}},
		"Removed":  {reason: "A section that was removed has no users, now or next.", c: credentials(1, first, coming(2, v1.RotationScheduled)), without: []string{"kafka", "opensearch"}, want: want{firstObjects[2:], []string{"orders-valkey-a-r2"}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, making(first...)...)
			l.without(tc.without...)
			objects := func(ds []desiredUser) []string {
				var out []string
				for _, d := range ds {
					out = append(out, d.object.GetName())
				}
				return out
			}
			got := want{objects(l.current()), objects(l.next(l.credentials().Next))}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLosses(t *testing.T) {
	type want struct {
		deleted, vanished []string
	}
	cases := map[string]struct {
		reason string
		c      *v1.CredentialsStatus
		lack   []string // Users without a managed resource.
		with   map[string]func(mg composed)
		change func(l *life)
		want   want
	}{
		"None": {reason: "Nothing is lost while all is there.", c: credentials(1, first)},
		"NotPublished": {
			reason: "What was not published cannot be missed.",
			c:      credentials(1, first[:1]), lack: first[1:],
		},
		"SecretDeleted": {
			reason: "Who deletes a Secret revokes all that it held, and nothing else.",
			c:      credentials(1, first), change: func(l *life) { delete(l.secrets, "orders-aiven") },
			want: want{deleted: []string{"kafka", "valkey/a"}},
		},
		"SecretGoing": {
			reason: "A Secret that waits for its users to go is as good as gone.",
			c:      credentials(1, first), change: func(l *life) { l.secrets["search"].SetDeletionTimestamp(new(at(0))) },
			want: want{deleted: []string{"opensearch"}},
		},
		"NewName": {
			reason: "A Secret that was not published yet is not missed.",
			c:      credentials(1, first), change: func(l *life) { l.sections[1].secretName = "renamed" },
		},
		"Vanished": {
			reason: "A user that somebody deleted at Aiven is lost.",
			c:      credentials(1, first), with: map[string]func(mg composed){"valkey/a-1": unready(v1.ReasonUserVanished)},
			want: want{vanished: []string{"valkey/a"}},
		},
		"ObjectGone": {
			reason: "So is one whose managed resource is gone.",
			c:      credentials(1, first), lack: []string{"kafka-1"},
			want: want{vanished: []string{"kafka"}},
		},
		"ObjectGoing": {
			reason: "And one whose managed resource is being deleted, which nothing can stop.",
			c:      credentials(1, first), with: map[string]func(mg composed){"opensearch-1": deleting},
			want: want{vanished: []string{"opensearch"}},
		},
		"Unready": {
			reason: "A service that does not run has its users all the same.",
			c:      credentials(1, first), with: map[string]func(mg composed){"opensearch-1": unready(v1.ReasonServiceNotRunning)},
		},
		"Both": {
			reason: "A user that goes with its Secret is lost once.",
			c:      credentials(1, first), with: map[string]func(mg composed){"opensearch-1": deleting}, change: func(l *life) { delete(l.secrets, "search") },
			want: want{deleted: []string{"opensearch"}},
		},
		"Removed": {
			reason: "Nobody misses what the application does not ask for any more.",
			c:      credentials(1, first), lack: []string{"kafka-1"}, change: func(l *life) { l.without("kafka") },
		},
		"OtherService": {
			reason: "A user of the service before is not the section's.",
			c:      credentials(1, first, func(c *v1.CredentialsStatus) { c.Users[0].ServiceName = "another-kafka" }), lack: []string{"kafka-1"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var existing []composed
			for _, u := range first {
				if !slices.Contains(tc.lack, u) {
					existing = append(existing, made(u))
				}
				if change := tc.with[u]; change != nil {
					change(existing[len(existing)-1])
				}
			}
			l := lifeOf(tc.c, existing...)
			if tc.change != nil {
				tc.change(l)
			}
			var got want
			got.deleted, got.vanished = l.losses()
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRevoking(t *testing.T) {
	cases := map[string]struct {
		reason string
		going  []string
		want   string
	}{
		"None": {reason: "Secrets that stay are not waited for."},
		"One":  {reason: "One that goes is.", going: []string{"search"}, want: "search"},
		"Both": {reason: "Of several it is always the same, so that the message stays.", going: []string{"search", "orders-aiven"}, want: "orders-aiven"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(credentials(1, first), making(first...)...)
			for _, name := range tc.going {
				l.secrets[name].SetDeletionTimestamp(new(at(0)))
			}
			if got := l.revoking(); got != tc.want {
				t.Errorf("%s: want %q, got %q", tc.reason, tc.want, got)
			}
		})
	}
}

func TestRequested(t *testing.T) {
	cases := map[string]struct {
		reason     string
		c          *v1.CredentialsStatus
		annotation string
		spec       *v1.RotationSpec
		want       bool
	}{
		"Nobody":        {reason: "Nobody asked.", c: credentials(1, first), spec: &v1.RotationSpec{}},
		"NothingIssued": {reason: "Before the first credentials there is nothing to rotate.", annotation: "now"},
		"Annotation":    {reason: "A new value of the annotation asks.", c: credentials(1, first, heard("before")), annotation: "now", want: true},
		"HeardOf":       {reason: "One that was acted on does not ask again.", c: credentials(1, first, heard("now")), annotation: "now"},
		"Withdrawn":     {reason: "Neither does taking it away.", c: credentials(1, first, heard("now"))},
		"Spec":          {reason: "So does a new time in the spec, be it in the past.", c: credentials(1, first), spec: &v1.RotationSpec{RequestedAt: new(at(-90 * day))}, want: true},
		"SpecHeardOf":   {reason: "A time that was acted on is the same in any zone.", c: credentials(1, first, func(c *v1.CredentialsStatus) { c.Request = new(at(0)) }), spec: &v1.RotationSpec{RequestedAt: new(metav1.NewTime(noon.In(time.FixedZone("", 3600))))}},
		"SpecEarlier":   {reason: "An earlier time is a new one too.", c: credentials(1, first, func(c *v1.CredentialsStatus) { c.Request = new(at(0)) }), spec: &v1.RotationSpec{RequestedAt: new(at(-time.Second))}, want: true},
		"Either":        {reason: "Each of the two asks for itself.", c: credentials(1, first, heard("now")), annotation: "now", spec: &v1.RotationSpec{RequestedAt: new(at(0))}, want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			app := lifeOf(tc.c).app
			app.Spec.Rotation = tc.spec
			if tc.annotation != "" {
				meta.AddAnnotations(app, map[string]string{v1.AnnotationRotate: tc.annotation})
			}
			if got := requested(app); got != tc.want {
				t.Errorf("%s: want %t, got %t", tc.reason, tc.want, got)
			}
		})
	}
}

func TestPublished(t *testing.T) {
	cases := map[string]struct {
		reason   string
		c        *v1.CredentialsStatus
		existing []composed
		next     []composed
		want     []string
	}{
		"Nothing":   {reason: "Before the first publication there is nothing to keep right."},
		"All":       {reason: "All users of the status, also of a section that was added to since.", c: credentials(1, first), existing: making(first...), want: first},
		"Rotating":  {reason: "A revision that is not urgent replaces nothing before it is complete.", c: credentials(1, first, coming(2, v1.RotationScheduled)), existing: making(first...), next: making(second...), want: first},
		"Gone":      {reason: "When one is gone, nothing is published without it.", c: credentials(1, first), existing: making(first[1:]...)},
		"Lost":      {reason: "The successor of a lost user is published in its place.", c: credentials(1, first, coming(2, v1.RotationUserVanished, "kafka")), existing: making(first[1:]...), next: making(second[:1]...), want: []string{"kafka-2", "opensearch-1", "valkey/a-1"}},
		"Going":     {reason: "Nor with one that is being deleted.", c: credentials(1, first), existing: append(making(first[1:]...), made("kafka-1", deleting))},
		"NotMade":   {reason: "And not with a successor that is not there yet.", c: credentials(1, first, coming(2, v1.RotationUserVanished, "kafka")), existing: making(first[1:]...), next: []composed{made("kafka-2", unready(v1.ReasonCreating))}},
		"Abandoned": {reason: "A lost user whose section was removed has none.", c: credentials(1, first, coming(2, v1.RotationUserVanished, "kafka")), existing: making(first[1:]...), want: first[1:]},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range lifeOf(tc.c, tc.existing...).published(alive(tc.next...)) {
				got = append(got, meta.GetExternalName(u.mg))
				if want, number := parse(got[len(got)-1]); u.secretName != want.secretName || u.id() != want.id() || u.revision != number {
					t.Errorf("%s is of %s, revision %d, in Secret %s", got[len(got)-1], u.id(), u.revision, u.secretName)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestStrays(t *testing.T) {
	cases := map[string]struct {
		reason   string
		c        *v1.CredentialsStatus
		existing []composed
		without  []string
		want     []string
	}{
		"None":       {reason: "What is published is needed.", c: credentials(1, first), existing: making(first...)},
		"Unfinished": {reason: "What is to be published too.", existing: making(first...)},
		"Older":      {reason: "Of several users that were never published one is enough.", existing: making("kafka-1", "kafka-2"), want: []string{"kafka-1"}},
		"Removed": {
			reason: "A section that was removed before it was published leaves nothing.",
			c:      credentials(1, first[:1]), existing: making(first...), without: []string{"opensearch", "valkey/a"},
			want: []string{"opensearch-1", "valkey/a-1"},
		},
		"RemovedPublished": {
			reason: "What is published stays until it is not, whoever asks for it.",
			c:      credentials(1, first), existing: making(first...), without: []string{"opensearch"},
		},
		"Previous": {
			reason: "Users before the present ones have their time.",
			c:      credentials(2, second, previous(1, -time.Hour, first...)), existing: append(making(first...), making(second...)...),
		},
		"Retired": {
			reason: "After it nobody needs them.",
			c:      credentials(2, second), existing: append(making("kafka-1"), making(second...)...), want: []string{"kafka-1"},
		},
		"Going": {
			reason: "What is being deleted need not be deleted.",
			c:      credentials(2, second), existing: append([]composed{made("kafka-1", deleting)}, making(second...)...),
		},
		"Rotating": {
			reason: "A rotation needs both revisions.",
			c:      credentials(1, first, coming(2, v1.RotationScheduled)), existing: append(making(first...), making(second...)...),
		},
		"Lost": {
			reason: "What was lost is of no use; what replaces it, and all else, is.",
			c:      credentials(1, first, coming(2, v1.RotationSecretDeleted, "kafka")), existing: append(making(first...), made("kafka-2")), want: []string{"kafka-1"},
		},
		"LostOfPrevious": {
			reason: "The users before it may still be held.",
			c:      credentials(2, second, previous(1, -time.Hour, first...), coming(3, v1.RotationUserVanished, "kafka")), existing: append(making(first...), making(second...)...),
			want: []string{"kafka-2"},
		},
		"LostMeanwhile": {
			reason: "Of a rotation that a loss overtakes only what the loss replaces goes on.",
			c:      credentials(1, first, coming(2, v1.RotationUserVanished, "kafka")), existing: append(making(first[1:]...), making(second...)...),
			want: []string{"opensearch-2", "valkey/a-2"},
		},
		"OtherService": {
			reason: "A user of the service before is published until another one is.",
			c:      credentials(1, []string{"kafka-1"}, func(c *v1.CredentialsStatus) { c.Users[0].ServiceName = "another-kafka" }), existing: []composed{made("kafka-1", elsewhere)},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, tc.existing...)
			l.without(tc.without...)
			if diff := cmp.Diff(tc.want, usernames(l.strays(l.current(), l.next(l.credentials().Next)))); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	const asked = "asked"
	cases := map[string]struct {
		reason   string
		asks     bool // Whether somebody asks for a rotation.
		c        *v1.CredentialsStatus
		existing []composed // Beside those that are published.
		users    []composed
		want     *v1.CredentialsStatus
	}{
		"First": {
			reason: "The first publication issues, and hears what was asked before.",
			asks:   true,
			users:  making(first...),
			want:   &v1.CredentialsStatus{Revision: 1, IssuedAt: new(at(0)), Users: users(first...), RequestAnnotation: asked, Request: new(at(-day))},
		},
		"AfterTheEnd": {
			reason: "Access that is given again is a new revision.",
			asks:   true,
			c:      &v1.CredentialsStatus{Revision: 1}, users: making(second...),
			want: &v1.CredentialsStatus{Revision: 2, IssuedAt: new(at(0)), Users: users(second...), RequestAnnotation: asked, Request: new(at(-day))},
		},
		"Forgotten": {
			reason: "Users that are found without a status are the revision that they were made for.",
			asks:   true,
			users:  making(second...),
			want:   &v1.CredentialsStatus{Revision: 2, IssuedAt: new(at(0)), Users: users(second...), RequestAnnotation: asked, Request: new(at(-day))},
		},
		"Unchanged": {
			reason: "To publish the same again changes nothing, and answers no request.",
			asks:   true,
			c:      credentials(2, second, previous(1, -time.Hour, first...)), existing: making(first...), users: making(second...),
			want: credentials(2, second, previous(1, -time.Hour, first...)),
		},
		"Added": {
			reason: "A user that joins is not a new revision.",
			asks:   true,
			c:      credentials(2, second[:2]), users: making(second...),
			want: credentials(2, second),
		},
		"Rotating": {
			reason: "While a revision is made the present users are published.",
			asks:   true,
			c:      credentials(1, first, coming(2, v1.RotationRequested)), existing: making("kafka-2"), users: making(first...),
			want: credentials(1, first, coming(2, v1.RotationRequested)),
		},
		"Rotated": {
			reason: "When it is published the users before have their overlap, and the request was answered.",
			asks:   true,
			c:      credentials(1, first, coming(2, v1.RotationRequested)), existing: making(first...), users: making(second...),
			want: &v1.CredentialsStatus{
				Revision: 2, IssuedAt: new(at(0)), Users: users(second...), RequestAnnotation: asked, Request: new(at(-day)),
				Previous: &v1.PreviousStatus{Revision: 1, Since: at(0), RetireAfter: at(day), Users: users(first...)},
			},
		},
		"RotatedWhatIsLeft": {
			reason: "Users that are gone need no overlap.",
			c:      credentials(1, first, coming(2, v1.RotationScheduled)), existing: making("valkey/a-1"), users: making(second...),
			want: &v1.CredentialsStatus{
				Revision: 2, IssuedAt: new(at(0)), Users: users(second...),
				Previous: &v1.PreviousStatus{Revision: 1, Since: at(0), RetireAfter: at(day), Users: users("valkey/a-1")},
			},
		},
		"Lost": {
			reason: "A replaced loss is a revision of its own, but the others' time goes on, and who asks for a rotation still waits; what was lost has no overlap.",
			asks:   true,
			c:      credentials(1, first, coming(2, v1.RotationUserVanished, "kafka")), existing: []composed{made("kafka-1", deleting)},
			users: making("kafka-2", "opensearch-1", "valkey/a-1"),
			want:  credentials(2, []string{"kafka-2", "opensearch-1", "valkey/a-1"}),
		},
		"LostDuringOverlap": {
			reason: "The users before keep the overlap that they were given.",
			asks:   true,
			c:      credentials(2, second, previous(1, -time.Hour, first...), coming(3, v1.RotationSecretDeleted, "opensearch")), existing: append(making(first...), made("opensearch-2")),
			users: making("kafka-2", "opensearch-3", "valkey/a-2"),
			want:  credentials(3, []string{"kafka-2", "opensearch-3", "valkey/a-2"}, previous(1, -time.Hour, first...)),
		},
		"AllLost": {
			reason: "When all were lost and replaced, all are issued anew.",
			asks:   true,
			c:      credentials(1, first, coming(2, v1.RotationSecretDeleted, "kafka", "opensearch", "valkey/a")), existing: making(first...), users: making(second...),
			want: &v1.CredentialsStatus{Revision: 2, IssuedAt: new(at(0)), Users: users(second...), RequestAnnotation: asked, Request: new(at(-day))},
		},
		"Removed": {
			reason: "A user whose section was removed has an overlap too.",
			c:      credentials(2, second), existing: making(second...), users: making(second[:2]...),
			want: credentials(2, second[:2], previous(2, 0, second[2])),
		},
		"RemovedDuringOverlap": {
			reason: "It joins those that were replaced before, and all have its overlap.",
			c:      credentials(2, second, previous(1, -time.Hour, first...)), existing: append(making(first...), making(second...)...), users: making(second[:2]...),
			want: credentials(2, second[:2], previous(2, 0, append(slices.Clone(first), second[2])...)),
		},
		"Back": {
			reason: "A user that is published again does not retire.",
			c:      credentials(2, second[:2], previous(2, -time.Hour, "kafka-1", "valkey/a-2")), existing: making("kafka-1"), users: making(second...),
			want: credentials(2, second, previous(2, -time.Hour, "kafka-1")),
		},
		"AllBack": {
			reason: "When none is left that was replaced, nothing has to retire.",
			c:      credentials(2, second[:2], previous(2, -time.Hour, "valkey/a-2")), users: making(second...),
			want: credentials(2, second),
		},
		"OtherService": {
			reason: "Users of one name at two services are two users.",
			c:      credentials(1, []string{"kafka-1"}), existing: making("kafka-1"), users: []composed{made("kafka-1", elsewhere, func(mg composed) { mg.SetName("beside") })},
			want: credentials(1, []string{"kafka-1"}, previous(1, 0, "kafka-1"), func(c *v1.CredentialsStatus) { c.Users[0].ServiceName = "another-kafka" }),
		},
		"Certificate": {
			reason: "The end of a certificate is known when it is published, and only then.",
			c:      credentials(1, first[:1]), users: []composed{made("kafka-1", func(mg composed) {
				mg.(*v1alpha1.KafkaServiceUser).Status.AtProvider.CertificateNotAfter = new(at(820 * day))
			})},
			want: credentials(1, first[:1], func(c *v1.CredentialsStatus) { c.NotAfter = new(at(820 * day)) }),
		},
		"CertificateRemoved": {
			reason: "Without a certificate none ends.",
			c:      credentials(1, first[1:], func(c *v1.CredentialsStatus) { c.NotAfter = new(at(820 * day)) }), users: making(first[1:]...),
			want: credentials(1, first[1:]),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, append(tc.existing, tc.users...)...)
			if tc.asks {
				l.app.Spec.Rotation = &v1.RotationSpec{RequestedAt: new(at(-day))}
				meta.AddAnnotations(l.app, map[string]string{v1.AnnotationRotate: asked})
			}
			before := tc.c.DeepCopy()
			got := l.settle(alive(tc.users...), noon.Add(700*time.Millisecond).In(time.FixedZone("", 3600)), noon)
			if got.Previous != nil && len(got.Previous.Users) == 0 {
				got.Previous = nil // Whoever retires users removes it.
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, l.app.Status.Credentials); diff != "" {
				t.Errorf("what was remembered before was changed: -want, +got:\n%s", diff)
			}
		})
	}
}

func TestSettleKeepsPromises(t *testing.T) {
	cases := map[string]struct {
		reason  string
		c       *v1.CredentialsStatus
		objects []string
		overlap time.Duration
		users   []string
		at      time.Time
		// want is when the users before may go at the earliest.
		want metav1.Time
	}{
		"OverlapShortened": {
			reason: "Who was promised a long overlap keeps it when others follow that have a short one.",
			c:      credentials(2, second, previous(1, -time.Hour, first...)), objects: slices.Concat(first, second),
			overlap: time.Hour, users: second[:2], at: noon, want: at(23 * time.Hour),
		},
		"SecretsUnchanged": {
			reason: "The overlap of a section that had a Secret of its own begins when it goes, though no Secret changes.",
			c:      credentials(1, first), objects: first, overlap: day, users: first[:2], at: noon.Add(-10 * day), want: at(day),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, making(tc.objects...)...)
			l.policy.Overlap = tc.overlap
			c := l.settle(alive(making(tc.users...)...), tc.at, noon)
			if diff := cmp.Diff(tc.want, c.Previous.RetireAfter); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestForgotten: whoever may hold credentials keeps them for the overlap, also
// when the status was lost with an application that was made again.
func TestForgotten(t *testing.T) {
	secret := func(mg composed) { meta.AddOwnerReference(mg, secretOwner("orders-aiven", "uid-of-secret")) }
	cases := map[string]struct {
		reason   string
		c        *v1.CredentialsStatus
		existing []composed
		want     []string
	}{
		"MadeAgain": {
			reason:   "Users before the newest ones that a Secret holds are replaced, not strays.",
			existing: append(making(second...), made("kafka-1", secret)), want: []string{"kafka-1"},
		},
		"NeverPublished": {
			reason:   "What no Secret holds nobody has.",
			existing: append(making(second...), made("kafka-1")),
		},
		"Restored": {
			reason:   "What a backup brings without owners may be in use.",
			existing: append(making(second...), made("kafka-1", restored)), want: []string{"kafka-1"},
		},
		"Known": {
			reason: "What is known is not replaced anew.",
			c:      credentials(2, second, previous(1, -time.Hour, "kafka-1")), existing: append(making(second...), made("kafka-1", secret)), want: []string{"kafka-1"},
		},
		"Lost": {
			reason: "What was lost does not come back.",
			c:      credentials(2, second, coming(3, v1.RotationSecretDeleted, "kafka")), existing: append(making(second...), made("kafka-1", secret)),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := lifeOf(tc.c, tc.existing...)
			c := l.settle(alive(making(second...)...), noon, noon)
			l.app.Status.Credentials = c
			var got []string
			if c.Previous != nil {
				for _, u := range c.Previous.Users {
					got = append(got, u.Username)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBelongs(t *testing.T) {
	secret := func(mg composed) { meta.AddOwnerReference(mg, secretOwner("orders-aiven", "uid-of-secret")) }
	owned := func(name string, uid types.UID) func(mg composed) {
		return func(mg composed) {
			meta.AddOwnerReference(mg, metav1.OwnerReference{APIVersion: v1.AivenApplicationGroupVersionKind.GroupVersion().String(), Kind: v1.AivenApplicationKind, Name: name, UID: uid, Controller: new(true)})
		}
	}
	app := lifeOf(nil).app
	_, other := objectNames(app, sectionOf(made("kafka-1")), 1)
	cases := map[string]struct {
		reason string
		mg     composed
		want   bool
	}{
		"Controlled":  {reason: "What it controls is its own.", mg: made("kafka-1", restored, owned(app.GetName(), app.GetUID())), want: true},
		"Inherited":   {reason: "What a Secret of its name holds is taken over.", mg: made("kafka-1", restored, secret), want: true},
		"Predecessor": {reason: "Also before garbage collection has seen that the owner is gone.", mg: made("kafka-1", restored, owned(app.GetName(), "before"), secret), want: true},
		"Restored":    {reason: "A backup brings it back without owners.", mg: made("kafka-1", restored), want: true},
		"RestoredToo": {reason: "Also by the name that it got when its service had changed.", mg: made("kafka-1", restored, func(mg composed) { mg.SetName(other) }), want: true},
		"Copied":      {reason: "One of another name is somebody's copy, and would be a second managed resource of the user.", mg: made("kafka-1", restored, func(mg composed) { mg.SetName("mine") })},
		"SaysSo":      {reason: "One that a person made is not its own, whatever it says.", mg: made("kafka-1", restored, func(mg composed) { mg.SetLabels(nil) })},
		"Elsewhere":   {reason: "Nor is one for a Secret that it does not want.", mg: made("kafka-1", restored, func(mg composed) { meta.AddAnnotations(mg, map[string]string{v1.AnnotationSecret: "billing-aiven"}) })},
		"Going":       {reason: "What only the predecessor had goes with it.", mg: made("kafka-1", restored, owned(app.GetName(), "before"))},
		"Others":      {reason: "What another application controls is not its own, whatever it says.", mg: made("kafka-1", restored, owned("billing", "billing"), secret)},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := belongs(app, tc.mg); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

func TestObject(t *testing.T) {
	copied := func(mg composed) { mg.SetName("a-copy") }
	cases := map[string]struct {
		reason   string
		existing []composed
		want     string
	}{
		"None": {reason: "There may be none."},
		"Copy": {reason: "A copy that somebody made of it is not taken for it.", existing: []composed{made("kafka-1", copied), made("kafka-1")}, want: "orders-kafka-r1"},
		"Only": {reason: "One of another name is better than none.", existing: []composed{made("kafka-1", copied)}, want: "a-copy"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if mg := lifeOf(nil, tc.existing...).object(users("kafka-1")[0]); mg != nil {
				got = mg.GetName()
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
