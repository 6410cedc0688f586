package guardian

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// startTimeout limits the start. A shift waits for it before its first write.
	startTimeout = 5 * time.Second
	// sendTimeout limits a message. The pipe holds many, so only a guardian that was frozen does
	// not take one.
	sendTimeout = 2 * time.Second
	// clientsInterval is how often the clients are sent again if they changed: credentials are
	// renewed.
	clientsInterval = time.Minute
	// maxRestarts limits how often a guardian that somebody killed is started again.
	maxRestarts = 3
)

// Errors of a guardian.
var (
	ErrNotStarted = errors.New("its process did not start within " + startTimeout.String())
	errEnded      = errors.New("its process ended")
)

// Options is how a guardian is started.
type Options struct {
	Shift string // its id, for people
	// Program is the path of the binary to start. Empty: that of this process.
	Program string
	// Clients returns how clients are made, for Connect. It must not block for long.
	Clients func(context.Context) (json.RawMessage, error)
}

// Process is a guardian's process, seen by the owner of the shift.
type Process struct {
	options Options
	aborted chan struct{}
	started chan struct{} // closed: id or err is set
	cancel  context.CancelFunc

	mu       sync.Mutex
	id       traffic.Process
	err      error
	in       *os.File // nil: it does not run
	clients  json.RawMessage
	last     *rollout.Handover
	released bool
	restarts int
}

var _ rollout.Guardian = (*Process)(nil)

// Start starts a guardian and returns at once.
func Start(ctx context.Context, o Options) *Process {
	ctx, cancel := context.WithCancel(ctx)
	p := &Process{options: o, aborted: make(chan struct{}), started: make(chan struct{}), cancel: cancel}
	go p.run(ctx)
	return p
}

// Process implements rollout.Guardian.
func (p *Process) Process(ctx context.Context) (traffic.Process, error) {
	select {
	case <-p.started:
	case <-ctx.Done():
		return traffic.Process{}, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.id, p.err
}

// Hand implements rollout.Guardian.
func (p *Process) Hand(h rollout.Handover) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = &h
	p.send(message{Hand: &h})
}

// Release implements rollout.Guardian.
func (p *Process) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = true
	p.send(message{Release: true})
	p.cancel()
	return p.err
}

// Aborted implements rollout.Guardian.
func (p *Process) Aborted() <-chan struct{} { return p.aborted }

// send sends a message. It must be called with the lock.
func (p *Process) send(m message) {
	if p.in == nil {
		return
	}
	line, err := json.Marshal(m)
	if err != nil {
		return // of our own types, which a test covers
	}
	_ = p.in.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := p.in.Write(append(line, '\n')); err != nil && p.id.PID > 0 {
		// It is frozen, and must not act on a part of a message later. Another one is started.
		self := proc.Self()
		if ended, known := (proc.Identity{Boot: self.Boot, PID: p.id.PID, Start: p.id.Start}).Ended(); known && !ended {
			_ = kill(p.id.PID)
		}
	}
}

// run starts the process, and again if somebody kills it.
func (p *Process) run(ctx context.Context) {
	defer p.cancel()
	for {
		out, err := p.launch(ctx)
		if err != nil {
			p.fail(err)
			return
		}
		err = p.listen(ctx, out)
		if !p.restart(err) {
			return
		}
	}
}

// launch starts the process and sends it what it has to know.
func (p *Process) launch(ctx context.Context) (out *os.File, err error) {
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	clients, err := p.options.Clients(limited)
	if err != nil {
		return nil, err
	}
	in, out, err := start(context.WithoutCancel(ctx), cmp.Or(p.options.Program, self()), p.options.Shift)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in, p.clients = in, clients
	p.send(message{Clients: clients})
	if p.last != nil {
		p.send(message{Hand: p.last})
	}
	if p.released {
		p.send(message{Release: true})
	}
	return out, nil
}

// programName is what ps shows, whatever the file is called.
const programName = "terraform-provider-bluegreen"

// isStage reports whether an entry of the environment is the stage of a guardian.
func isStage(entry string) bool { return strings.HasPrefix(entry, stageVariable+"=") }

// start starts the binary again, and returns the pipes to and from it.
func start(ctx context.Context, program, shift string) (in, out *os.File, err error) {
	read, in, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = read.Close() }()
	out, write, err := os.Pipe()
	if err != nil {
		_ = in.Close()
		return nil, nil, err
	}
	defer func() { _ = write.Close() }()
	first, err := proc.StartDetached(func() *exec.Cmd {
		command := exec.CommandContext(ctx, program, argument, "shift", shift)
		command.Args[0] = programName
		command.Env = slices.DeleteFunc(proc.Untracked(os.Environ()), isStage)
		command.Stdin, command.Stdout = read, write
		return command
	})
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, nil, err
	}
	go func() { _ = first.Wait() }() // it ends as soon as it has started the guardian
	return in, out, nil
}

// listen reads what the process reports until it ends.
func (p *Process) listen(ctx context.Context, out *os.File) error {
	defer func() { _ = out.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = out.Close() })
	defer stop()
	_ = out.SetReadDeadline(time.Now().Add(startTimeout))
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		return ErrNotStarted
	}
	var first report
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil {
		return fmt.Errorf("its process does not answer: %w", err)
	}
	_ = out.SetReadDeadline(time.Time{})
	p.runs(traffic.Process{PID: first.PID, Start: first.Start})
	go p.renewClients(ctx)
	for lines.Scan() {
		var r report
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Abort {
			p.abort()
		}
	}
	return errEnded
}

// runs notes that the process runs.
func (p *Process) runs(id traffic.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
	p.settle(nil)
}

// fail notes that there is no process.
func (p *Process) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(err)
}

// settle ends the start. It must be called with the lock.
func (p *Process) settle(err error) {
	select {
	case <-p.started:
	default:
		p.err = err
		close(p.started)
	}
}

func (p *Process) abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.aborted:
	default:
		close(p.aborted)
		p.send(message{Aborting: true})
	}
}

// restart reports whether the process, which has ended, is to be started again.
func (p *Process) restart(err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.in.Close()
	p.in = nil
	p.restarts++
	if p.released || p.restarts > maxRestarts || !errors.Is(err, errEnded) {
		if !p.released {
			p.err = err
		}
		p.settle(p.err)
		return false
	}
	return true
}

// renewClients sends the clients again when they have changed.
func (p *Process) renewClients(ctx context.Context) {
	ticker := time.NewTicker(clientsInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		limited, cancel := context.WithTimeout(ctx, startTimeout)
		clients, err := p.options.Clients(limited)
		cancel()
		if err != nil {
			continue
		}
		p.mu.Lock()
		if string(clients) != string(p.clients) {
			p.clients = clients
			p.send(message{Clients: clients})
		}
		p.mu.Unlock()
	}
}

// self returns the path of this binary.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	if _, err := os.Stat(path); err != nil && proc.Self().Start != "" {
		return "/proc/self/exe" // it was replaced since it was started
	}
	return path
}
