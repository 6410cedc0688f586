package guardian

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

var errNoClients = errors.New("no clients")

// server is a guardian in this process, whose clients cannot be made.
type server struct {
	in    *io.PipeWriter
	out   bytes.Buffer
	term  chan os.Signal
	asked []rollout.Handover // of connect
	ended chan error
}

func newServer() *server {
	read, write := io.Pipe()
	s := &server{in: write, term: make(chan os.Signal, 1), ended: make(chan error, 1)}
	go func() {
		s.ended <- serve(read, &s.out, s.term, func(_ context.Context, clients json.RawMessage, h *rollout.Handover) (rollout.Successor, error) {
			if string(clients) == `"clients"` {
				s.asked = append(s.asked, *h)
			}
			return rollout.Successor{}, errNoClients
		})
	}()
	return s
}

func (s *server) write(text string) { _, _ = io.WriteString(s.in, text) }

// What a guardian reads, and whether it takes the shift over.
func TestServe(t *testing.T) {
	const clients = `{"clients":"clients"}` + "\n"
	hand := func(shift string) string {
		line, err := json.Marshal(message{Hand: &rollout.Handover{Shift: shift, RollbackTimeout: time.Second, Stop: true}})
		if err != nil {
			t.Fatal(err)
		}
		return string(line) + "\n"
	}
	for name, c := range map[string]struct {
		text  string
		taken string // the id of the shift that is taken over; empty: none
		stop  bool
		err   error
		act   func(s *server)
	}{
		"the owner dies before the shift begins": {text: clients},
		"the owner dies":                         {text: clients + hand("1") + hand("2"), taken: "2", stop: true, err: errNoClients},
		"the owner dies while it writes":         {text: clients + hand("1") + hand("2")[:20], taken: "1", stop: true, err: errNoClients},
		"the shift is released":                  {text: clients + hand("1") + `{"release":true}` + "\n"},
		"the pipe has something else":            {text: clients + hand("1") + "?\n", err: errors.New("invalid character '?' looking for beginning of value")},
		"SIGTERM, and the owner does not respond": {text: clients + hand("1"), taken: "1", err: errNoClients, act: func(s *server) {
			s.term <- syscall.SIGTERM
			<-time.After(abortTimeout + time.Second)
		}},
		"SIGTERM, and the owner rolls back": {text: clients + hand("1"), act: func(s *server) {
			s.term <- syscall.SIGTERM
			<-time.After(time.Second)
			s.write(`{"aborting":true}` + "\n" + hand("2"))
			<-time.After(time.Hour)
			s.write(`{"release":true}` + "\n")
		}},
		"the owner is frozen for an hour": {text: clients + hand("1"), act: func(s *server) {
			<-time.After(time.Hour)
			s.write(`{"release":true}` + "\n")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				s.write(c.text)
				if c.act != nil {
					c.act(s)
				}
				_ = s.in.Close()
				err := <-s.ended
				if (err == nil) != (c.err == nil) || err != nil && err.Error() != c.err.Error() {
					t.Errorf("got %v, want %v", err, c.err)
				}
				if len(s.asked) > 0 && (s.asked[0].Shift != c.taken || s.asked[0].Stop != c.stop) || len(s.asked) == 0 && c.taken != "" {
					t.Errorf("taken over: %+v, want %q", s.asked, c.taken)
				}
				if !strings.HasPrefix(s.out.String(), `{"pid":`) || strings.Contains(s.out.String(), "abort") != strings.HasPrefix(name, "SIGTERM") {
					t.Errorf("it reported %q", s.out.String())
				}
			})
		})
	}
}
