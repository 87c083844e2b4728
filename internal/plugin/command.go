// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/provider-aiven/provider-aiven/internal/version"
)

// Exit codes of all commands. They are API.
const (
	// ExitFine: what was asked was done, and nothing is wrong.
	ExitFine = 0
	// ExitWrong: something is wrong with what was asked about, or what was asked
	// for did not happen.
	ExitWrong = 1
	// ExitUsage: the command was not asked properly, or could not ask the cluster.
	ExitUsage = 2
)

const exitCodes = `
Exit codes:
  0  done, and nothing is wrong
  1  something is wrong, or did not happen in time
  2  the command is wrong, or the cluster cannot be asked`

// A wrongError ends a command with ExitWrong. What is wrong was said already when
// it has no text.
type wrongError struct{ text string }

func (e wrongError) Error() string { return e.text }

// errWrong ends a command that has said what is wrong.
var errWrong = wrongError{}

// Streams are where a command writes to.
type Streams struct {
	// Out is for answers, Err for progress and errors.
	Out, Err io.Writer
	// Colour says that whoever reads Out likes colours.
	Colour bool
}

// Terminal returns the streams of this process, with colours when a person reads
// them who did not ask for none.
func Terminal() Streams {
	return Streams{
		Out: os.Stdout, Err: os.Stderr,
		Colour: term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// A session is what all commands of one run share.
type session struct {
	streams Streams
	access  *access
	now     func() time.Time
	// tick is how often something that is waited for is looked at.
	tick time.Duration
}

// Run runs a command and returns its exit code. It ends early with the context.
func Run(ctx context.Context, args []string, s Streams) int {
	cmd := newCommand(&session{streams: s, access: &access{}, now: time.Now, tick: time.Second}) //nolint:contextcheck // Commands get theirs from cobra.
	cmd.SetArgs(args)
	return exitCode(cmd.ExecuteContext(ctx), s.Err)
}

// exitCode says what went wrong and returns the code for it.
func exitCode(err error, w io.Writer) int {
	if err == nil {
		return ExitFine
	}
	p := printer{w: w}
	var wrong wrongError
	if errors.As(err, &wrong) {
		if wrong.text != "" {
			p.printf("kubectl aivenapp: %s\n", wrong.text)
		}
		return ExitWrong
	}
	p.printf("kubectl aivenapp: %s\n", err.Error())
	if advice := explain(err); advice != "" {
		p.printf("%s\n", advice)
	}
	return ExitUsage
}

func newCommand(s *session) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl-aivenapp",
		Short: "See and rotate the Aiven credentials of applications, and find out what is wrong",
		Long: `kubectl aivenapp shows how an AivenApplication is and who uses its credentials,
asks for new ones, gives you time-limited ones of your own, and examines the
provider as a whole. It does everything with your own rights in the cluster, and
never writes a credential to the terminal.
` + exitCodes,
		Version:       version.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl aivenapp"},
	}
	cmd.SetOut(s.streams.Out)
	cmd.SetErr(s.streams.Err)
	s.access.bind(cmd)
	cmd.AddCommand(newStatus(s), newRotate(s), newCredentials(s), newDoctor(s), newJanitor(s))
	return cmd
}

// printer returns what writes answers.
func (s *session) printer() printer { return printer{w: s.streams.Out, colour: s.streams.Colour} }

// progress tells what happens meanwhile.
func (s *session) progress(text string) { printer{w: s.streams.Err}.printf("%s\n", text) }

// every calls fn at once and then at each tick, until it is done or fails for
// good. When time is up it returns errTimeout, or what went wrong last.
func (s *session) every(ctx context.Context, timeout time.Duration, fn func(ctx context.Context) (done bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t := time.NewTicker(s.tick)
	defer t.Stop()
	last := errTimeout
	for {
		done, err := fn(ctx)
		switch {
		case done:
			return nil
		case isFinal(err):
			return err
		case !isOver(ctx) && err != nil:
			last = err
		case !isOver(ctx):
			last = errTimeout
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return last
			}
			return wrongError{text: "interrupted"}
		case <-t.C:
		}
	}
}

// isOver tells whether time is up, also a moment before the context knows: what
// is asked then fails for that reason.
func isOver(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// isFinal tells whether asking again is of no use. An API server that restarts
// comes back.
func isFinal(err error) bool {
	return kerrors.IsNotFound(err) || kerrors.IsForbidden(err) || kerrors.IsUnauthorized(err) || apimeta.IsNoMatchError(err)
}

// errTimeout is what every returns when time is up.
var errTimeout = errors.New("time is up")

// requireOne is how cobra checks that one application is named, in our words.
func requireOne(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.Errorf("name one application, not %d", len(args))
	}
	return nil
}

// requireNone refuses arguments.
func requireNone(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return errors.Errorf("there is nothing to name here: %q", args[0])
	}
	return nil
}

// example returns the text of examples, indented as cobra wants it.
func example(lines ...string) string {
	return "  " + strings.Join(lines, "\n  ")
}
