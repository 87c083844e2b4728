// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/janitor"
)

// defaultGrace is that of the provider.
const defaultGrace = 10 * time.Minute

// What becomes of a published Secret.
const (
	// VerdictRemove: the provider's janitor removes it when it looks next.
	VerdictRemove = "remove"
	// VerdictLater: it removes it after a grace period, unless something uses it.
	VerdictLater = "later"
	// VerdictKeep: it stays.
	VerdictKeep = "keep"
	// VerdictUnknown: the person may not see all that matters.
	VerdictUnknown = "unknown"
)

// A Sweep is the answer of kubectl aivenapp janitor. Its JSON is API.
type Sweep struct {
	Header `json:",inline"`

	// Namespace that was looked at; empty: all.
	Namespace string `json:"namespace,omitempty"`
	// Grace is the period that was reckoned with.
	Grace   metav1.Duration `json:"grace"`
	Secrets []Swept         `json:"secrets"`
	NotSeen []string        `json:"notSeen,omitempty"`
}

// A Swept Secret, and what becomes of it.
type Swept struct {
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	Application string `json:"application"`
	// Verdict is remove, later, keep or unknown.
	Verdict string `json:"verdict"`
	// Reason is the janitor's: Unused, GracePeriod, Expired, Wanted, Protected or InUse.
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// At is when it is removed at the earliest.
	At *metav1.Time `json:"at,omitempty"`
}

// janitorOptions are the flags.
type janitorOptions struct {
	format string
	all    bool
	dryRun bool
	grace  time.Duration
}

func newJanitor(s *session) *cobra.Command {
	var o janitorOptions
	cmd := &cobra.Command{
		Use:   "janitor --dry-run",
		Short: "Say which published Secrets the provider's janitor removes, and why",
		Long: `Say which published Secrets the provider's janitor would remove, when, and why; and
why the others stay. It decides as the provider does, with the same code, and never
removes anything itself. Whether the provider was started with another grace period
or with --janitor-dry-run cannot be seen from here.
` + exitCodes + `
That Secrets would be removed is not wrong: the code is 0.`,
		Example: example("kubectl aivenapp janitor --dry-run -n team-a", "kubectl aivenapp janitor --dry-run -A -o json | jq '.secrets[] | select(.verdict != \"keep\")'"),
		Args:    requireNone,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFormat(o.format); err != nil {
				return err
			}
			if !o.dryRun {
				return errors.New("give --dry-run: this command only says what the provider would do")
			}
			sweep, err := s.sweep(cmd.Context(), o)
			if err != nil {
				return err
			}
			return s.write(o.format, sweep, func(p printer) { p.sweep(sweep, s.now()) })
		},
	}
	bindFormat(cmd, &o.format)
	bindAll(cmd, &o.all)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "Say what would be removed; there is nothing else this command does")
	cmd.Flags().DurationVar(&o.grace, "grace", defaultGrace, "The provider's --janitor-grace")
	return cmd
}

// bindAll adds kubectl's flag for all namespaces.
func bindAll(cmd *cobra.Command, all *bool) {
	cmd.Flags().BoolVarP(all, "all-namespaces", "A", false, "Look at all namespaces")
}

func (s *session) sweep(ctx context.Context, o janitorOptions) (*Sweep, error) {
	c, err := s.access.connect()
	if err != nil {
		return nil, err
	}
	v := newView(c.kube, c.namespace)
	if o.all {
		v.namespace = metav1.NamespaceAll
	}
	secrets, err := v.published(ctx)
	if err != nil {
		return nil, err
	}
	apps, err := v.applications(ctx)
	if err != nil {
		return nil, err
	}
	used, err := v.uses(ctx)
	if err != nil {
		return nil, err
	}
	out := &Sweep{Header: header("JanitorReport"), Namespace: v.namespace, Grace: metav1.Duration{Duration: o.grace}}
	out.Secrets = swept(secrets, sight{apps: apps, appsUnknown: v.denied[seeApplications] != "", uses: used}, o.grace, s.now())
	out.NotSeen = v.notSeen()
	return out, nil
}

// A sight is what decisions about Secrets are made from.
type sight struct {
	apps        []v1.AivenApplication
	appsUnknown bool
	uses        uses
}

// swept returns what becomes of published Secrets, those that go first. Pure.
func swept(secrets []metav1.PartialObjectMetadata, in sight, grace time.Duration, now time.Time) []Swept {
	apps := make(map[types.NamespacedName]*v1.AivenApplication, len(in.apps))
	for i := range in.apps {
		apps[types.NamespacedName{Namespace: in.apps[i].GetNamespace(), Name: in.apps[i].GetName()}] = &in.apps[i]
	}
	out := []Swept{}
	for i := range secrets {
		s := &secrets[i]
		if s.GetDeletionTimestamp() != nil {
			continue // Somebody deleted it already.
		}
		name := v1.ApplicationOf(s)
		state := janitor.StateOf(s, apps[types.NamespacedName{Namespace: s.GetNamespace(), Name: name}], now)
		if !state.Wanted {
			state.Uses = in.uses.of(s.GetNamespace(), s.GetName())
		}
		// Without its dry run, so that it says what it does.
		d := janitor.Decide(state, janitor.Policy{Grace: grace}, now)
		w := Swept{Namespace: s.GetNamespace(), Name: s.GetName(), Application: name, Reason: d.Reason, Message: d.Message}
		w.Verdict, w.At = verdict(d, now)
		if w.Verdict != VerdictKeep && d.Reason != janitor.ReasonExpired && (in.appsUnknown || len(in.uses.unknown) > 0) {
			w.Verdict, w.At = VerdictUnknown, nil
			w.Message = "You may not see everything that may use it: " + strings.Join(in.unknown(), ", ")
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Swept) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

func (in sight) unknown() []string {
	if in.appsUnknown {
		return append([]string{"applications"}, in.uses.unknown...)
	}
	return in.uses.unknown
}

func urgency(w Swept) int {
	return slices.Index([]string{VerdictRemove, VerdictLater, VerdictUnknown, VerdictKeep}, w.Verdict)
}

// verdict returns what a decision means for a Secret, and when it goes.
func verdict(d janitor.Decision, now time.Time) (string, *metav1.Time) {
	switch {
	case d.Action == janitor.Remove:
		return VerdictRemove, &metav1.Time{Time: now.UTC().Truncate(time.Second)}
	case d.Action == janitor.Mark, d.Reason == janitor.ReasonGracePeriod:
		return VerdictLater, &metav1.Time{Time: now.Add(d.After).UTC().Truncate(time.Second)}
	default:
		return VerdictKeep, nil
	}
}

// sweep writes what becomes of Secrets.
func (p printer) sweep(s *Sweep, now time.Time) {
	groups := []struct {
		verdict, title string
		style          style
	}{
		{VerdictRemove, "Would be removed now", bad},
		{VerdictLater, "Would be removed later, unless something uses them", poor},
		{VerdictUnknown, "Not known", poor},
		{VerdictKeep, "Stay", good},
	}
	for _, g := range groups {
		var n node
		for _, w := range s.Secrets {
			if w.Verdict != g.verdict {
				continue
			}
			when := ""
			if w.Verdict == VerdictLater {
				when = " (" + distance(w.At.Time, now) + ")"
			}
			n.children = append(n.children, leaf(say("%s/%s", w.Namespace, w.Name), say("%s", w.Reason), say("%s%s", w.Message, when)))
		}
		if len(n.children) > 0 {
			n.cells = []cell{g.style.as("%s: %d", g.title, len(n.children))}
			p.tree(n)
		}
	}
	if len(s.Secrets) == 0 {
		p.printf("There are no published Secrets that you may see.\n")
	}
	p.printf("Nothing was removed.\n")
	p.notSeen(s.NotSeen)
}
