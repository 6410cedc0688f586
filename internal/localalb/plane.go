package localalb

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// plane is the data plane: it really listens, checks and proxies what the control plane's state says.
type plane struct {
	cfg         config
	log         *slog.Logger
	ctx         context.Context // ends with the server
	certificate tls.Certificate
	http1       *http.Transport
	http2       *http.Transport
	tasks       sync.WaitGroup
	inFlight    gauge
	buffers     pool

	mu             sync.Mutex
	generation     uint64
	groups         map[string]*liveGroup
	listeners      map[string]*liveListener
	groupCounts    map[string]*groupCounter
	listenerCounts map[string]*listenerCounter
	metrics        *ownMetrics
}

func newPlane(ctx context.Context, cfg config) (*plane, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	return &plane{
		cfg: cfg, log: cfg.log, ctx: ctx, certificate: certificate, http1: newTransport(), http2: newHTTP2Transport(),
		inFlight: newGauge(), buffers: newPool(), groups: map[string]*liveGroup{}, listeners: map[string]*liveListener{},
		groupCounts: map[string]*groupCounter{}, listenerCounts: map[string]*listenerCounter{},
		metrics: newOwnMetrics(cfg.clock),
	}, nil
}

// apply makes the data plane obey a new state. Listeners are opened before anything else changes, so that an
// error leaves all as it was. Routing of listeners that exist already changes after the delay; sockets, groups
// and health checks change at once. Requests in flight are not touched.
func (p *plane) apply(next *state, late time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	opened, err := p.open(next)
	if err != nil {
		return err
	}
	p.applyGroups(next)
	p.generation++
	for arn, record := range next.listeners {
		live := p.listeners[arn]
		fresh := opened[arn]
		if fresh != nil {
			p.listeners[arn] = fresh
		}
		current := p.listeners[arn]
		if current == nil {
			continue
		}
		table := p.compile(next, record, current)
		if fresh != nil || late <= 0 {
			current.publish(table)
		} else {
			p.publishLater(current, table, late)
		}
		if fresh != nil {
			fresh.serve()
			p.retire(live)
		}
	}
	for arn, live := range p.listeners {
		if next.listeners[arn] == nil {
			delete(p.listeners, arn)
			p.retire(live)
		}
	}
	return nil
}

// open binds a socket for every listener that has none yet, or that moves to another port or protocol.
func (p *plane) open(next *state) (map[string]*liveListener, error) {
	opened := map[string]*liveListener{}
	for arn, record := range next.listeners {
		if b := next.balancers[record.balancer]; b == nil || b.kind != application {
			continue // network load balancers have no data plane here
		}
		if live := p.listeners[arn]; live != nil && live.serves(record) {
			continue
		}
		fresh, err := p.bind(record)
		if err != nil {
			for _, l := range opened {
				err = errors.Join(err, l.socket.Close())
			}
			return nil, err
		}
		opened[arn] = fresh
	}
	return opened, nil
}

func (p *plane) applyGroups(next *state) {
	users := next.users()
	for arn, record := range next.groups {
		live := p.groups[arn]
		if live == nil {
			live = p.newGroup(arn)
			p.groups[arn] = live
		}
		live.measure(users[arn])
		live.configure(record, usageOf(next, users[arn]))
	}
	for arn, live := range p.groups {
		if next.groups[arn] == nil {
			live.close()
			live.measure(nil)
			delete(p.groups, arn)
		}
	}
}

// usageOf is the zones of the balancer that a group serves, nil where it serves none.
func usageOf(s *state, b *balancer) map[string]bool {
	if b == nil {
		return nil
	}
	zones := map[string]bool{}
	for _, subnet := range b.subnets {
		zones[b.region+s.zones[subnet]] = true
	}
	return zones
}

func (p *plane) publishLater(l *liveListener, t *table, late time.Duration) {
	p.tasks.Go(func() {
		if hold(p.ctx, late) == nil {
			l.publish(t)
		}
	})
}

// retire lets a listener go: no new connections from now on, and the requests in flight are finished.
func (p *plane) retire(l *liveListener) {
	if l == nil {
		return
	}
	if err := l.socket.Close(); err != nil {
		p.log.Debug("closing a listener", "error", err)
	}
	p.tasks.Go(func() {
		if err := l.server.Shutdown(p.ctx); err != nil {
			p.log.Debug("a listener did not end in time", "error", err, "closed", l.server.Close())
		}
	})
}

func (p *plane) groupCounter(arn string) *groupCounter {
	if p.groupCounts[arn] == nil {
		p.groupCounts[arn] = &groupCounter{}
	}
	return p.groupCounts[arn]
}

func (p *plane) countsOf(arn string) Counts {
	p.mu.Lock()
	counter := p.groupCounts[arn]
	p.mu.Unlock()
	if counter == nil {
		return Counts{Targets: map[string]Counts{}}
	}
	return counter.readAll()
}

func (p *plane) listenerCountsOf(arn string) ListenerCounts {
	p.mu.Lock()
	counter := p.listenerCounts[arn]
	p.mu.Unlock()
	if counter == nil {
		return ListenerCounts{}
	}
	return counter.read()
}

func (p *plane) address(listenerARN string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[listenerARN]; l != nil {
		return l.socket.Addr().String()
	}
	return ""
}

// health is the verdicts on all targets of a group.
func (p *plane) health(groupARN string) []verdict {
	p.mu.Lock()
	live := p.groups[groupARN]
	p.mu.Unlock()
	if live == nil {
		return nil
	}
	return live.verdicts()
}

// close ends everything. The context has ended already, so that requests in flight break off.
func (p *plane) close() error {
	p.mu.Lock()
	listeners, groups := p.listeners, p.groups
	p.listeners, p.groups = map[string]*liveListener{}, map[string]*liveGroup{}
	p.mu.Unlock()
	var out []error
	for _, l := range listeners {
		out = append(out, l.server.Close())
	}
	for _, g := range groups {
		g.close()
	}
	p.tasks.Wait()
	p.inFlight.waitForNone()
	p.http1.CloseIdleConnections()
	p.http2.CloseIdleConnections()
	return errors.Join(out...)
}

// gauge counts what is going on and can wait for the end of all of it.
type gauge struct {
	mu   *sync.Mutex
	none *sync.Cond
	n    *int
}

func newGauge() gauge {
	mu := &sync.Mutex{}
	return gauge{mu: mu, none: sync.NewCond(mu), n: new(int)}
}

func (g gauge) add(delta int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*g.n += delta
	if *g.n == 0 {
		g.none.Broadcast()
	}
}

func (g gauge) waitForNone() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for *g.n > 0 {
		g.none.Wait()
	}
}
