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

// plane is the data plane: sockets, health checks and proxies that implement the state of the control plane.
type plane struct {
	cfg         config
	log         *slog.Logger
	ctx         context.Context // canceled when the server closes
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
	metrics        *elbMetrics
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
		metrics: newELBMetrics(cfg.clock),
	}, nil
}

// apply updates the data plane to a new state. It opens new listeners first; on an error nothing else has
// changed. The routing of existing listeners changes after the delay, while sockets, groups and health checks
// change immediately. In-flight requests are not interrupted.
func (p *plane) apply(next *state, delay time.Duration) error {
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
		if fresh != nil || delay <= 0 {
			current.publish(table)
		} else {
			p.publishAfter(current, table, delay)
		}
		if fresh != nil {
			fresh.serve()
			p.shutDown(live)
		}
	}
	for arn, live := range p.listeners {
		if next.listeners[arn] == nil {
			delete(p.listeners, arn)
			p.shutDown(live)
		}
	}
	return nil
}

// open binds a socket for every listener that is new or whose port or protocol has changed.
func (p *plane) open(next *state) (map[string]*liveListener, error) {
	opened := map[string]*liveListener{}
	for arn, record := range next.listeners {
		if b := next.balancers[record.balancer]; b == nil || b.kind != application {
			continue // network load balancers have no data plane
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
	balancers := next.balancersByGroup()
	for arn, record := range next.groups {
		live := p.groups[arn]
		if live == nil {
			live = p.newGroup(arn)
			p.groups[arn] = live
		}
		live.setMetrics(balancers[arn])
		live.configure(record, zonesOf(next, balancers[arn]))
	}
	for arn, live := range p.groups {
		if next.groups[arn] == nil {
			live.close()
			live.setMetrics(nil)
			delete(p.groups, arn)
		}
	}
}

// zonesOf returns the zones of a load balancer, nil if there is none.
func zonesOf(s *state, b *balancer) map[string]bool {
	if b == nil {
		return nil
	}
	zones := map[string]bool{}
	for _, subnet := range b.subnets {
		zones[b.region+s.zones[subnet]] = true
	}
	return zones
}

func (p *plane) publishAfter(l *liveListener, t *table, delay time.Duration) {
	p.tasks.Go(func() {
		if sleep(p.ctx, delay) == nil {
			l.publish(t)
		}
	})
}

// shutDown closes the socket of a listener and lets in-flight requests finish.
func (p *plane) shutDown(l *liveListener) {
	if l == nil {
		return
	}
	if err := l.socket.Close(); err != nil {
		p.log.Debug("closing a listener", "error", err)
	}
	p.tasks.Go(func() {
		if err := l.server.Shutdown(p.ctx); err != nil {
			p.log.Debug("listener did not shut down in time", "error", err, "closed", l.server.Close())
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

// health returns the health of all targets of a group.
func (p *plane) health(groupARN string) []targetHealth {
	p.mu.Lock()
	live := p.groups[groupARN]
	p.mu.Unlock()
	if live == nil {
		return nil
	}
	return live.health()
}

// close stops the data plane. The context is already canceled, which aborts in-flight requests.
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

// gauge counts activities in progress and can wait until there are none.
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
