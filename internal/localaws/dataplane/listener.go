package dataplane

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// loopback is the address of listeners whose load balancer has none of its own.
const loopback = "127.0.0.1"

// liveListener is an open listener. Its routing is in a table that is replaced as a whole: every request is
// evaluated against one consistent set of rules.
type liveListener struct {
	arn      string
	port     int // the configured port when the socket was opened
	protocol string
	front    front
	plane    *Plane
	counts   *listenerCounter
	metrics  BalancerMetrics
	table    atomic.Pointer[table]
}

// table holds the rules of a listener in the order of evaluation. The last one matches every request.
type table struct {
	generation   uint64
	port         string // the configured port
	rules        []*liveRule
	idleTimeout  time.Duration
	forwardedFor string // append, preserve or remove
	zones        []string
}

// liveRule is the runtime form of a rule. It is reused while its Rule is the same: changing another rule does
// not restart its cycle of weighted choices.
type liveRule struct {
	*Rule
	matches []func(*http.Request) bool
	forward *forwarder // nil unless the routing action is a forward action
}

// bind opens the sockets of a listener. Traffic is handled after serve.
func (p *Plane) bind(arn string, config Listener) (*liveListener, error) {
	l := &liveListener{arn: arn, port: config.Port, protocol: config.Protocol, plane: p}
	var err error
	if p.opts.EphemeralPorts {
		err = l.bindFree(config)
	} else {
		err = l.bindTo(config, config.Port)
	}
	if err != nil {
		return nil, err
	}
	if p.listenerCounts[arn] == nil {
		p.listenerCounts[arn] = &listenerCounter{}
	}
	l.counts, l.metrics = p.listenerCounts[arn], p.opts.Metrics.Balancer(config.Balancer)
	return l, nil
}

// bindFree binds a free port. Listeners of load balancers that have addresses of their own get the same port for the same
// configured one, as long as it is free, because a name that resolves to several addresses has one port.
func (l *liveListener) bindFree(config Listener) error {
	ports := l.plane.ports
	if config.Host == "" || config.Host == loopback {
		return l.bindTo(config, 0)
	}
	if port := ports[config.Port]; port != 0 && l.bindTo(config, port) == nil {
		return nil
	}
	if err := l.bindTo(config, 0); err != nil {
		return err
	}
	if _, text, err := net.SplitHostPort(l.front.address()); err == nil && ports[config.Port] == 0 {
		ports[config.Port], err = strconv.Atoi(text)
		return err
	}
	return nil
}

func (l *liveListener) bindTo(config Listener, port int) error {
	address := net.JoinHostPort(cmp.Or(config.Host, loopback), strconv.Itoa(port))
	var err error
	if config.Protocol == "HTTP" || config.Protocol == "HTTPS" {
		l.front, err = l.bindHTTP(address)
	} else {
		l.front, err = l.bindStreams(address)
	}
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return nil
}

// serves reports whether the open socket suits the listener. With ephemeral ports, the port does not matter.
func (l *liveListener) serves(config Listener) bool {
	return l.protocol == config.Protocol && (l.plane.opts.EphemeralPorts || l.port == config.Port)
}

func (l *liveListener) serve() {
	l.plane.tasks.Go(func() {
		if err := l.front.serve(); err != nil {
			l.plane.opts.Log.Error("listener stopped unexpectedly", "listener", l.arn, "error", err)
		}
	})
}

// front accepts the traffic of a listener.
type front interface {
	// address is where the listener accepts traffic, "host:port".
	address() string
	// serve handles traffic until the front is stopped, which is no error.
	serve() error
	// stop closes the sockets for new traffic.
	stop() error
	// finish waits for the traffic in progress until ctx ends.
	finish(ctx context.Context) error
	// close closes everything.
	close() error
}

// httpFront serves HTTP and HTTPS.
type httpFront struct {
	*http.Server
	socket net.Listener
	secure bool
}

func (l *liveListener) bindHTTP(address string) (front, error) {
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:           l,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Hour, // ALB's client keep-alive
		ErrorLog:          slog.NewLogLogger(l.plane.opts.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return l.plane.ctx },
		TLSConfig:         l.plane.tlsConfig(),
	}
	return &httpFront{Server: server, socket: socket, secure: l.protocol == "HTTPS"}, nil
}

func (p *Plane) tlsConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{p.certificate}, MinVersion: tls.VersionTLS12}
}

func (f *httpFront) address() string { return f.socket.Addr().String() }

func (f *httpFront) serve() error {
	var err error
	if f.secure {
		err = f.ServeTLS(f.socket, "", "")
	} else {
		err = f.Serve(f.socket)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return exceptClosed(err)
}

func (f *httpFront) stop() error { return f.socket.Close() }

func (f *httpFront) finish(ctx context.Context) error { return f.Shutdown(ctx) }

func (f *httpFront) close() error { return errors.Join(f.Close(), exceptClosed(f.socket.Close())) }

// exceptClosed returns nil for the use of a closed socket.
func exceptClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// publish installs a table unless a newer one is already installed.
func (l *liveListener) publish(t *table) {
	for {
		old := l.table.Load()
		if old != nil && old.generation > t.generation {
			return
		}
		if l.table.CompareAndSwap(old, t) {
			return
		}
	}
}

// compile builds the table of a listener.
func (p *Plane) compile(config Listener, l *liveListener) *table {
	reusable := map[*Rule]*liveRule{}
	if old := l.table.Load(); old != nil {
		for _, r := range old.rules {
			reusable[r.Rule] = r
		}
	}
	t := &table{generation: p.generation, port: strconv.Itoa(config.Port), idleTimeout: config.IdleTimeout, forwardedFor: config.ForwardedFor, zones: config.Zones}
	for _, r := range config.Rules {
		live := reusable[r]
		if live == nil {
			live = &liveRule{Rule: r, matches: compileConditions(r.Conditions), forward: p.newForwarder(r.Forward)}
		}
		t.rules = append(t.rules, live)
	}
	return t
}

func (p *Plane) newForwarder(action *Forward) *forwarder {
	if action == nil {
		return nil
	}
	f := &forwarder{sticky: action.Sticky}
	var weights []int
	for _, g := range action.Groups {
		f.groups = append(f.groups, p.groups[g.ARN])
		weights = append(weights, g.Weight)
	}
	f.chooser = NewChooser(weights)
	return f
}

// ServeHTTP handles a request with the first rule that matches.
func (l *liveListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.plane.inFlight.add(1)
	defer l.plane.inFlight.add(-1)
	l.counts.requests.Add(1)
	t := l.table.Load()
	for _, rule := range t.rules {
		if rule.match(r) {
			l.serveRule(w, r, t, rule)
			return
		}
	}
}

// respondError sends a response generated by the load balancer.
func (l *liveListener) respondError(w http.ResponseWriter, status int) {
	l.metrics.Generated(status)
	writeErrorPage(w, status)
}

func (l *liveListener) serveRule(w http.ResponseWriter, r *http.Request, t *table, rule *liveRule) {
	for _, login := range rule.Logins {
		if status := login.authenticate(w, r); status != 0 {
			l.counts.logins.Add(1)
			l.metrics.Generated(status)
			return
		}
	}
	switch {
	case rule.forward != nil:
		l.counts.forwarded.Add(1)
		l.forward(w, r, t, rule.forward)
	case rule.Redirect != nil:
		l.counts.redirects.Add(1)
		rule.Redirect.write(w, r, t.port)
	default:
		l.counts.fixed.Add(1)
		rule.Fixed.write(w)
	}
}
