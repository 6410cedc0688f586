package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
)

// The exit codes beside that of the command, as shells have them.
const (
	exitFailed      = 1 // the command succeeded, and a shift could not be recovered
	exitNotStarted  = 126
	exitNotFound    = 127
	exitSignal      = 128 // and the number of the signal
	exitInterrupted = exitSignal + 2
)

// DefaultReportDir is the folder of the journals where neither a flag nor the environment names
// one.
const DefaultReportDir = ".bluegreen"

// Options is a run of a command.
type Options struct {
	Command []string // and its arguments
	// ReportDir is the folder of the journals. Empty: that of the environment, or DefaultReportDir.
	ReportDir string
	// Timeout limits how long the command may take to end after its job was killed, and how long a
	// recovery may take.
	Timeout time.Duration
	JSON    bool // progress lines are entries of journals
	// Recover recovers the shift of routes, as operate.Operator.Recover.
	Recover Recover

	In       *os.File
	Out, Err *os.File
	Environ  []string
	// Self starts this program again. Empty: with the arguments of this process.
	Self []string
}

// Recover recovers the shift of routes, if it is abandoned. progress receives lines for people.
type Recover func(ctx context.Context, routes []string, progress func(line string)) (operate.Result, error)

// Run runs the command and returns the exit code: that of the command, 128 and the number of the
// signal that ended it, 126 or 127 if it could not be started, and 1 if it succeeded and a shift
// could not be recovered. A context that is done before the command was started prevents the
// start; afterwards only signals count.
func Run(ctx context.Context, o Options) int {
	if _, err := exec.LookPath(o.Command[0]); err != nil {
		return notStarted(o.Err, o.Command[0], err)
	}
	return run(ctx, o)
}

// notStarted says why a command was not started, and returns the exit code.
func notStarted(w io.Writer, name string, err error) int {
	cause, action, code := err, "Check its permissions.", exitNotStarted
	if missing, is := errors.AsType[*exec.Error](err); is {
		cause = missing.Err
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		action, code = "Check its name and PATH.", exitNotFound
	}
	problem := operate.Problem{Summary: "Cannot start " + name, Traffic: "not read. Nothing was changed.", Cause: "The system says: " + cause.Error() + ".", Action: action}
	fmt.Fprintf(w, "Error: %s\n", problem.Error())
	return code
}
