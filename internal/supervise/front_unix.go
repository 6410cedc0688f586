//go:build unix

package supervise

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// stageVariable says, in the environment of a process, which of those of doc.go it is.
const stageVariable = "BLUEGREEN_EXEC"

// The stages. The process without one is the front, or the only one.
const (
	stageLeave     = "leave" // starts the supervisor and exits, which makes that nobody's child
	stageSupervise = "supervise"
)

// The file descriptors of a supervisor.
const (
	controlFD = 3 // a byte for each signal of the front; its end is the death of the front
	statusFD  = 4 // a status per line
)

const (
	parentPause = 250 * time.Millisecond
	// orphanPause is how long the front relays output after the death of its parent: nobody may
	// read it, and then it must not hold up the command.
	orphanPause = 30 * time.Second
)

// The bytes of the control pipe.
const (
	controlInterrupt = 'i'
	controlTerminate = 't'
	controlLost      = 'l' // the parent of the front has died
)

// status is a line of the status pipe. One field is set.
type status struct {
	PID  int  `json:"pid,omitempty"`  // of the command, which runs
	Exit *int `json:"exit,omitempty"` // the exit code of this program
	// Alone: the supervisor could not be started, and neither was the command.
	Alone bool `json:"alone,omitempty"`
}

// passed are the signals that are passed on.
var passed = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func run(ctx context.Context, o Options) int {
	if stage, _ := lookup(o.Environ, stageVariable); stage == stageLeave {
		return leave(context.WithoutCancel(ctx), o)
	} else if stage == stageSupervise {
		return supervise(context.WithoutCancel(ctx), o)
	}
	proc.Discard(syscall.SIGPIPE)
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, passed...)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	ctx = context.WithoutCancel(ctx) // only signals count from here
	file, err := newAnnouncements()
	if err != nil {
		removeAnnouncements(file)
		file = ""
	}
	s := newSession(o, file, signals)
	if tty := terminalOf(o.In); tty != nil {
		s.terminal = tty
		defer removeAnnouncements(file)
		return s.run(ctx)
	}
	f := &front{options: o, session: s, parent: os.Getppid()}
	if err := f.start(ctx); err != nil {
		defer removeAnnouncements(file)
		return s.run(ctx) // in this process: a sandbox does not let it start another one
	}
	code, orphaned := f.run(ctx, signals)
	if !orphaned { // otherwise the supervisor still needs it
		removeAnnouncements(file)
	}
	return code
}

// newSession returns a session that writes to the files of the options.
func newSession(o Options, file string, signals <-chan os.Signal) *session {
	s := &session{options: o, file: file, out: newStream(o.Out), signals: signals}
	s.err = s.out
	if !sameFile(o.Out, o.Err) {
		s.err = newStream(o.Err)
	}
	return s
}

// sameFile reports whether both are the same pipe or file, so that the order of what is written to
// them counts.
func sameFile(a, b *os.File) bool {
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// front is the process that the job sees.
type front struct {
	options  Options
	session  *session // of the supervisor, which this process continues if that dies
	parent   int
	control  *os.File
	statuses *os.File
	relays   sync.WaitGroup
}

// start starts the supervisor.
func (f *front) start(ctx context.Context) error {
	pipes, err := newPipes(4)
	if err != nil {
		return err
	}
	control, statuses, out, errs := pipes[0], pipes[1], pipes[2], pipes[3]
	if sameFile(f.options.Out, f.options.Err) {
		_, _ = errs.read.Close(), errs.write.Close()
		errs = out
	}
	first, err := proc.StartDetached(func() *exec.Cmd {
		command := again(ctx, f.options)
		command.Env = append(proc.Untracked(f.options.Environ, "BUILD_ID"), stageVariable+"="+stageLeave, report.JournalsVariable+"="+f.session.file)
		command.Stdin, command.Stdout, command.Stderr = f.options.In, out.write, errs.write
		command.ExtraFiles = []*os.File{control.read, statuses.write}
		return command
	})
	for _, file := range []*os.File{control.read, statuses.write, out.write, errs.write} {
		_ = file.Close() // twice, where both are the same
	}
	if err != nil {
		for _, file := range []*os.File{control.write, statuses.read, out.read, errs.read} {
			_ = file.Close()
		}
		return err
	}
	go func() { _ = first.Wait() }() // it exits as soon as it has started the supervisor
	f.control, f.statuses = control.write, statuses.read
	f.relay(f.options.Out, out.read)
	if errs != out {
		f.relay(f.options.Err, errs.read)
	}
	return nil
}

// again returns the command that starts this program again.
func again(ctx context.Context, o Options) *exec.Cmd {
	args := o.Self
	if len(args) == 0 {
		args = append([]string{self()}, os.Args[1:]...)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// self returns the path of this program.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// relay copies output until the supervisor ends. What cannot be written is lost.
func (f *front) relay(to io.Writer, from *os.File) {
	f.relays.Go(func() {
		defer func() { _ = from.Close() }()
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			_, _ = to.Write(buffer[:n])
			if err != nil {
				return
			}
		}
	})
}

// run relays signals and output until the supervisor ends, and returns the exit code. orphaned
// reports that the supervisor goes on without this process.
func (f *front) run(ctx context.Context, signals <-chan os.Signal) (code int, orphaned bool) {
	ended := make(chan status, 1)
	go func() { ended <- f.listen() }()
	tick := time.NewTicker(parentPause)
	defer tick.Stop()
	var limit <-chan time.Time
	for {
		select {
		case last := <-ended:
			f.relays.Wait()
			switch {
			case last.Exit != nil:
				return *last.Exit, false
			case last.Alone:
				return f.session.run(ctx), false
			}
			return f.session.adopt(ctx, last.PID), false
		case signal := <-signals:
			f.send(controlOf(signal))
		case <-limit:
			return exitFailed, true // nobody reads it
		case <-tick.C:
			if limit == nil && os.Getppid() != f.parent {
				f.send(controlLost)
				limit = time.After(orphanPause)
			}
		}
	}
}

func (f *front) send(message byte) { _, _ = f.control.Write([]byte{message}) }

func controlOf(s os.Signal) byte {
	if s == os.Interrupt {
		return controlInterrupt
	}
	return controlTerminate
}

// listen reads the status until the supervisor ends.
func (f *front) listen() (last status) {
	for lines := bufio.NewScanner(f.statuses); lines.Scan(); {
		_ = json.Unmarshal(lines.Bytes(), &last)
	}
	return last
}

// pipe is a pipe.
type pipe struct{ read, write *os.File }

func newPipes(n int) ([]pipe, error) {
	all := make([]pipe, n)
	for i := range all {
		read, write, err := os.Pipe()
		if err != nil {
			for _, p := range all[:i] {
				_, _ = p.read.Close(), p.write.Close()
			}
			return nil, err
		}
		all[i] = pipe{read, write}
	}
	return all, nil
}

// leave starts the supervisor with the files of this process.
func leave(ctx context.Context, o Options) int {
	_, err := proc.StartDetached(func() *exec.Cmd {
		command := again(ctx, o)
		command.Env = append(slices.Clone(o.Environ), stageVariable+"="+stageSupervise)
		command.Stdin, command.Stdout, command.Stderr = o.In, o.Out, o.Err
		command.ExtraFiles = []*os.File{os.NewFile(controlFD, "control"), os.NewFile(statusFD, "status")}
		return command
	})
	if err != nil {
		_ = json.NewEncoder(os.NewFile(statusFD, "status")).Encode(status{Alone: true})
		return exitFailed
	}
	return 0
}
