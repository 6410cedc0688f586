package supervise

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// outputPause is how long the output of a command is read after its end: a program that it left
// behind may keep the pipe open.
const outputPause = 2 * time.Second

// session is a command that runs, with the journals of its shifts.
type session struct {
	options Options
	// file is where journals are announced; empty: it could not be created.
	file     string
	out, err *stream
	signals  <-chan os.Signal // SIGINT, SIGTERM and SIGHUP
	lost     <-chan struct{}  // closed when the job has died; nil: it is not watched
	started  func(pid int)    // nil: nobody asks
	terminal *terminal        // nil: the output of the command is read from pipes
	journals *journals
}

// ending is how a command ended.
type ending struct {
	code int
}

// run runs the command to its end and returns the exit code. ctx must not be canceled: only signals
// end a command.
func (s *session) run(ctx context.Context) int {
	defer func() { s.out.Close(); s.err.Close() }()
	command := exec.CommandContext(ctx, s.options.Command[0], s.options.Command[1:]...)
	command.Env = s.environ()
	child, err := s.start(command)
	if err != nil {
		return notStarted(s.options.Err, s.options.Command[0], err)
	}
	s.journals = s.follow(ctx)
	if s.started != nil {
		s.started(command.Process.Pid)
	}
	return s.finish(ctx, s.wait(child))
}

// child is a command that runs.
type child struct {
	interrupt func() error
	kill      func() error
	ended     <-chan ending
}

// wait passes signals on until the command ends. It gets one SIGINT for the first signal, and
// another one for each further SIGINT, as from Ctrl-C: a second signal ends Terraform at once, so
// the SIGTERM that runners send after a SIGINT is not passed on.
func (s *session) wait(c child) ending {
	var interrupted bool
	var limit <-chan time.Time
	lost := s.lost
	for {
		select {
		case end := <-c.ended:
			return end
		case signal := <-s.signals:
			if !interrupted || signal == os.Interrupt {
				interrupted = true
				_ = c.interrupt() // it may have ended
			}
		case <-lost:
			lost, limit = nil, time.After(s.options.Timeout)
			if !interrupted {
				interrupted = true
				_ = c.interrupt()
			}
		case <-limit:
			limit = nil
			_ = c.kill()
		}
	}
}

// environ is the environment of the command.
func (s *session) environ() []string {
	environ := slices.DeleteFunc(slices.Clone(s.options.Environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains([]string{stageVariable, report.DirVariable, report.JournalsVariable}, name)
	})
	dir, err := s.reportDir()
	if err != nil {
		s.warn("The shifts of this run have no report and no progress lines, unless report_dir is set in the configuration: %s", err)
	} else if dir != "" {
		environ = append(environ, report.DirVariable+"="+dir)
	}
	if s.file == "" {
		s.warn("The shifts of this run have no progress lines, and are not recovered: the folder for temporary files cannot be written.")
		return environ
	}
	return append(environ, report.JournalsVariable+"="+s.file)
}

// reportDir returns the folder for journals. A variable that is set is passed on as it is: a
// relative path is one of the directory of the configuration then, as without this program.
func (s *session) reportDir() (string, error) {
	given, set := lookup(s.options.Environ, report.DirVariable)
	if s.options.ReportDir == "" && set {
		return given, nil
	}
	dir, err := filepath.Abs(cmp.Or(s.options.ReportDir, DefaultReportDir))
	if err != nil {
		return "", err
	}
	return dir, tryFolder(dir)
}

// tryFolder reports why a file in a folder could not be written. It leaves no file.
func tryFolder(dir string) error {
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".bluegreen.*")
	if err != nil {
		return err
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	if missing != nil {
		_ = os.Remove(dir)
	}
	return nil
}

func (s *session) warn(format string, args ...any) {
	s.say("Warning: "+format, args...)
}

// lookup returns a variable of an environment.
func lookup(environ []string, name string) (value string, set bool) {
	for _, entry := range environ {
		if rest, is := strings.CutPrefix(entry, name+"="); is {
			value, set = rest, true // the last one counts
		}
	}
	return value, set
}
