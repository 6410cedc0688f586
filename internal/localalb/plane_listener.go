package localalb

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// liveListener is an open listener. Its routing is in a table that is replaced as a whole: every request is
// evaluated against one consistent set of rules.
type liveListener struct {
	arn      string
	port     int // the port setting when the socket was opened
	protocol string
	socket   net.Listener
	server   *http.Server
	plane    *plane
	counts   *listenerCounter
	metrics  *recorder // of its load balancer
	table    atomic.Pointer[table]
}

// table holds the rules of a listener in the order of evaluation. The last one matches every request.
type table struct {
	generation   uint64
	port         string // the port setting
	rules        []*liveRule
	idleTimeout  time.Duration // idle timeout
	forwardedFor string        // append, preserve or remove
}

// liveRule is the runtime form of a rule. It is reused while its record is unchanged: changing another rule does
// not restart its cycle of weighted choices.
type liveRule struct {
	record  *rule
	matches []func(*http.Request) bool
	forward *forwarder // nil unless the routing action is a forward action
}

// bind opens the socket of a listener. Requests are handled after serve.
func (p *plane) bind(record *listener) (*liveListener, error) {
	port := record.port
	if p.cfg.ephemeral {
		port = 0
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, badRequest("InvalidConfigurationRequest", "localalb cannot listen on %s: %v. Ask for another port, or let it take free ones", address, err)
	}
	if p.listenerCounts[record.arn] == nil {
		p.listenerCounts[record.arn] = &listenerCounter{}
	}
	l := &liveListener{arn: record.arn, port: record.port, protocol: record.protocol, socket: socket, plane: p, counts: p.listenerCounts[record.arn], metrics: p.metrics.balancer(record.balancer)}
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Hour, // ALB's client keep-alive
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return p.ctx },
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{p.certificate}, MinVersion: tls.VersionTLS12},
	}
	return l, nil
}

// serves reports whether the open socket suits the record. With ephemeral ports, the port setting does not matter.
func (l *liveListener) serves(record *listener) bool {
	return l.protocol == record.protocol && (l.plane.cfg.ephemeral || l.port == record.port)
}

func (l *liveListener) serve() {
	l.plane.tasks.Go(func() {
		var err error
		if l.protocol == "HTTPS" {
			err = l.server.ServeTLS(l.socket, "", "")
		} else {
			err = l.server.Serve(l.socket)
		}
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			l.plane.log.Error("listener stopped unexpectedly", "listener", l.arn, "error", err)
		}
	})
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
func (p *plane) compile(s *state, record *listener, l *liveListener) *table {
	reusable := map[*rule]*liveRule{}
	if old := l.table.Load(); old != nil {
		for _, r := range old.rules {
			reusable[r.record] = r
		}
	}
	b := s.balancers[record.balancer]
	known := balancerAttributes(b.kind)
	t := &table{
		generation:   p.generation,
		port:         strconv.Itoa(record.port),
		idleTimeout:  time.Duration(seconds(known, b.attributes, idleTimeout)) * time.Second,
		forwardedFor: or(b.attributes[forwardedForMode], "append"),
	}
	for _, r := range s.rulesOf(record.arn) {
		live := reusable[r]
		if live == nil {
			live = &liveRule{record: r, matches: compileConditions(r.conditions), forward: p.newForwarder(r)}
		}
		t.rules = append(t.rules, live)
	}
	return t
}

func (p *plane) newForwarder(r *rule) *forwarder {
	last := r.actions[len(r.actions)-1]
	if last.ForwardConfig == nil {
		return nil
	}
	f := &forwarder{sticky: last.ForwardConfig.TargetGroupStickinessConfig}
	var weights []int
	for _, tuple := range last.ForwardConfig.TargetGroups.Members {
		f.groups = append(f.groups, p.groups[tuple.TargetGroupArn])
		weights = append(weights, tuple.share())
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

// countGenerated counts a response that the load balancer generated, by its status, for CloudWatch.
func (l *liveListener) countGenerated(status int) {
	switch {
	case status == http.StatusBadGateway:
		l.metrics.count(elb5xx, elb502)
	case status == http.StatusServiceUnavailable:
		l.metrics.count(elb5xx, elb503)
	case status == http.StatusGatewayTimeout:
		l.metrics.count(elb5xx, elb504)
	case status/100 == 4:
		l.metrics.count(elb4xx)
	}
}

// respondError sends a response generated by the load balancer.
func (l *liveListener) respondError(w http.ResponseWriter, status int) {
	l.countGenerated(status)
	writeErrorPage(w, status)
}

func (l *liveListener) serveRule(w http.ResponseWriter, r *http.Request, t *table, rule *liveRule) {
	actions := rule.record.actions
	for _, auth := range actions[:len(actions)-1] {
		if status := authenticate(w, r, auth); status != 0 {
			l.counts.logins.Add(1)
			l.countGenerated(status)
			return
		}
	}
	last := actions[len(actions)-1]
	switch last.Type {
	case forwardType:
		l.counts.forwarded.Add(1)
		l.forward(w, r, t, rule.forward)
	case redirectType:
		l.counts.redirects.Add(1)
		redirect(w, r, *last.RedirectConfig, t.port)
	default:
		l.counts.fixed.Add(1)
		writeFixedResponse(w, *last.FixedResponseConfig)
	}
}
