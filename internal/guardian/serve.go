package guardian

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Is reports whether a process with the arguments is a guardian, see Main.
func Is(args []string) bool { return len(args) > 1 && args[1] == argument }

// abortTimeout is how long the owner has to end the shift after an abort. After it, it is taken
// to be frozen.
const abortTimeout = 3 * time.Second

// collectAt is the percentage by which the heap of a guardian grows before it is collected. It
// only waits, so memory counts more than time.
const collectAt = 20

// Connect returns what takes a shift over: clients as the message of the owner says. It also
// completes the states of the handover, whose Raw has the form of JSON.
type Connect func(ctx context.Context, clients json.RawMessage, h *rollout.Handover) (rollout.Successor, error)

// Main is the main function of a guardian's process. It returns when the process has nothing
// left to do.
func Main(connect Connect) error {
	if os.Getenv(stageVariable) == "" {
		return leave()
	}
	debug.SetGCPercent(collectAt)
	dropProgram()
	proc.Discard(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGINT)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	return serve(os.Stdin, os.Stdout, term, connect)
}

// leave starts the guardian with the pipes of this process, which ends then.
func leave() error {
	_, err := proc.StartDetached(func() *exec.Cmd {
		command := exec.CommandContext(context.Background(), self(), os.Args[1:]...)
		command.Args[0] = os.Args[0]
		command.Env = append(os.Environ(), stageVariable+"=1")
		command.Stdin, command.Stdout = os.Stdin, os.Stdout
		return command
	})
	return err
}

// serve waits for the owner of the shift to release it or to die.
func serve(in io.Reader, out io.Writer, term <-chan os.Signal, connect Connect) error {
	self := proc.Self()
	reports := json.NewEncoder(out)
	if err := reports.Encode(report{PID: self.PID, Start: self.Start}); err != nil {
		return err // the owner has died before the shift began
	}
	messages, broken := make(chan message), make(chan error, 1)
	go receive(in, messages, broken)
	var clients json.RawMessage
	var handed *rollout.Handover
	var frozen <-chan time.Time
	for {
		select {
		case <-term:
			_ = reports.Encode(report{Abort: true})
			frozen = time.After(abortTimeout)
			continue
		case err := <-broken:
			return err
		case <-frozen:
		case m, open := <-messages:
			switch {
			case m.Release:
				return nil
			case m.Clients != nil:
				clients = m.Clients
			case m.Hand != nil:
				handed = m.Hand
			case m.Aborting:
				frozen = nil
			}
			if open {
				continue
			}
		}
		if handed == nil {
			return nil
		}
		if frozen != nil {
			handed.Stop = false // somebody wants the traffic back
		}
		return takeOver(*handed, clients, connect)
	}
}

// receive reads messages until the pipe ends, which closes messages. An owner that dies can leave
// a part of a message. Any other error is no death, and nothing may be done.
func receive(in io.Reader, messages chan<- message, broken chan<- error) {
	for d := json.NewDecoder(in); ; {
		var m message
		err := d.Decode(&m)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			close(messages)
			return
		case err != nil:
			broken <- err
			return
		}
		messages <- m
	}
}

func takeOver(h rollout.Handover, clients json.RawMessage, connect Connect) error {
	ctx, cancel := context.WithTimeout(context.Background(), h.RollbackTimeout)
	defer cancel()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		by, err := connect(ctx, clients, &h)
		if err == nil {
			return rollout.TakeOver(ctx, h, by)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
