package localalb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a running load balancer: the API, the listeners behind it, and the management port if it is on.
type Server struct {
	cfg             config
	log             *slog.Logger
	operations      map[string]operation
	watchOperations map[string]watchOperation
	faults          faults
	journal         journal
	plane           *plane
	watch           *cloudWatch

	writing  sync.Mutex // one write at a time
	current  atomic.Pointer[state]
	previous atomic.Pointer[state] // before the latest write; for stale reads

	api        net.Listener
	management net.Listener
	servers    []*http.Server
	stop       context.CancelFunc
	tasks      sync.WaitGroup
	closing    sync.Once
}

// Start listens first and then serves, so that the endpoint answers as soon as Start returns. It writes to
// its log that it is not for production. The caller must Close the server.
func Start(opts ...Option) (*Server, error) {
	cfg := newConfig(opts)
	for i := range cfg.faults {
		if err := cfg.faults[i].check(); err != nil {
			return nil, err
		}
	}
	if err := cfg.clock.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.log, operations: operations(), watchOperations: watchOperations()}
	s.journal.limit = cfg.journalLimit
	s.current.Store(newState())
	if err := s.listen(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	var err error
	if s.plane, err = newPlane(ctx, cfg); err != nil {
		stop()
		return nil, errors.Join(err, s.closeListeners())
	}
	s.watch = newCloudWatch(cfg, s.plane.metrics)
	for _, f := range cfg.faults {
		s.faults.add(f)
	}
	for _, hook := range cfg.hooks {
		s.journal.addHook(hook)
	}
	s.serve(ctx, s.api, s)
	if s.management != nil {
		s.serve(ctx, s.management, s.managementHandler())
	}
	s.log.Warn("localalb is a stand-in for tests and rehearsals, not for production; it keeps nothing after exit", "endpoint", s.URL())
	return s, nil
}

func (s *Server) listen() error {
	var err error
	if s.api, err = net.Listen("tcp", s.cfg.address); err != nil {
		return fmt.Errorf("listening for the API: %w", err)
	}
	if s.cfg.management == "" {
		return nil
	}
	if err = checkLoopback(s.cfg.management); err == nil {
		s.management, err = net.Listen("tcp", s.cfg.management)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("listening for management: %w", err), s.closeListeners())
	}
	return nil
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address", host)
	}
	return nil
}

func (s *Server) closeListeners() error {
	var out []error
	for _, ln := range []net.Listener{s.api, s.management} {
		if ln != nil {
			out = append(out, ln.Close())
		}
	}
	return errors.Join(out...)
}

func (s *Server) serve(ctx context.Context, ln net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.servers = append(s.servers, server)
	s.tasks.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the server ended", "address", ln.Addr().String(), "error", err)
		}
	})
}

// URL is the endpoint of the API, "http://127.0.0.1:9000".
func (s *Server) URL() string { return "http://" + s.api.Addr().String() }

// ManagementURL is the address of the management port, "" where it is off.
func (s *Server) ManagementURL() string {
	if s.management == nil {
		return ""
	}
	return "http://" + s.management.Addr().String()
}

// ListenerAddr is where a listener really listens, "127.0.0.1:8080"; "" for an ARN that names no listener
// of an application load balancer.
func (s *Server) ListenerAddr(listenerARN string) string { return s.plane.address(listenerARN) }

// Counts is what the data plane has counted for a target group since it was made. It stays after the group
// is deleted and is never reset: subtract two snapshots.
func (s *Server) Counts(targetGroupARN string) Counts { return s.plane.countsOf(targetGroupARN) }

// ListenerCounts is what a listener has counted, whatever group or action answered.
func (s *Server) ListenerCounts(listenerARN string) ListenerCounts {
	return s.plane.listenerCountsOf(listenerARN)
}

// Calls is the journal of API calls in the order in which they came in, the latest 100,000 of them.
func (s *Server) Calls() []Call { return s.journal.snapshot() }

// Hook adds a function as WithHook does and answers how to remove it again.
func (s *Server) Hook(hook func(Call)) (remove func()) { return s.journal.addHook(hook) }

// Inject makes calls fail from now on. A fault that makes no sense is removed at once and logged.
func (s *Server) Inject(f Fault) (remove func()) {
	if err := f.check(); err != nil {
		s.log.Error("fault refused", "error", err)
		return func() {}
	}
	id := s.faults.add(f)
	return func() { s.faults.remove(id) }
}

// Close stops everything at once: API, management, every listener with the requests in flight, every health
// check and every drain. None of them runs any more when it returns, but it does not wait for hooks that
// block. Closing again does nothing.
func (s *Server) Close() error {
	var out []error
	s.closing.Do(func() {
		s.stop()
		for _, server := range s.servers {
			out = append(out, server.Close())
		}
		// A write that is under way ends first, so that it opens nothing behind our back.
		s.writing.Lock()
		defer s.writing.Unlock()
		out = append(out, s.plane.close())
		s.tasks.Wait()
	})
	return errors.Join(out...)
}
