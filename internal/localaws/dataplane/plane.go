package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Options configures a Plane.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Metrics is required.
	Metrics Metrics
	// EphemeralPorts makes every listener listen on a free port instead of its configured one.
	EphemeralPorts bool
	// FastHealth overrides the interval of all health checks if it is positive.
	FastHealth time.Duration
}

// Plane is the data plane: sockets, health checks and proxies. It is safe for concurrent use.
type Plane struct {
	opts        Options
	ctx         context.Context // canceled when the Plane is to stop
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
	ports          map[int]int // the free ports of listeners with addresses of their own, by the configured ones
}

// New returns a Plane without listeners and groups. The end of ctx stops its health checks and drains and aborts
// in-flight requests; the caller must Close the Plane afterwards.
func New(ctx context.Context, opts Options) (*Plane, error) {
	certificate, err := selfSigned()
	if err != nil {
		return nil, err
	}
	return &Plane{
		opts: opts, ctx: ctx, certificate: certificate, http1: newTransport(), http2: newHTTP2Transport(),
		inFlight: newGauge(), buffers: newPool(), groups: map[string]*liveGroup{}, listeners: map[string]*liveListener{},
		groupCounts: map[string]*groupCounter{}, listenerCounts: map[string]*listenerCounter{}, ports: map[int]int{},
	}, nil
}

// Apply updates the data plane. It opens new listeners first; on an error nothing else has changed. The routing of
// existing listeners changes after the delay, while sockets, groups and health checks change immediately. In-flight
// requests are not interrupted.
func (p *Plane) Apply(next Config, delay time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	opened, err := p.open(next)
	if err != nil {
		return err
	}
	p.applyGroups(next)
	p.generation++
	for arn, config := range next.Listeners {
		live := p.listeners[arn]
		fresh := opened[arn]
		if fresh != nil {
			p.listeners[arn] = fresh
		}
		current := p.listeners[arn]
		table := p.compile(config, current)
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
		if _, remains := next.Listeners[arn]; !remains {
			delete(p.listeners, arn)
			p.shutDown(live)
		}
	}
	return nil
}

// open binds a socket for every listener that is new or whose port or protocol has changed.
func (p *Plane) open(next Config) (map[string]*liveListener, error) {
	opened := map[string]*liveListener{}
	for arn, config := range next.Listeners {
		if live := p.listeners[arn]; live != nil && live.serves(config) {
			continue
		}
		fresh, err := p.bind(arn, config)
		if err != nil {
			for _, l := range opened {
				err = errors.Join(err, l.front.close())
			}
			return nil, err
		}
		opened[arn] = fresh
	}
	return opened, nil
}

func (p *Plane) applyGroups(next Config) {
	for arn, config := range next.Groups {
		live := p.groups[arn]
		if live == nil {
			live = p.newGroup(arn)
			p.groups[arn] = live
		}
		live.setMetrics(config.Balancer)
		live.configure(config)
	}
	for arn, live := range p.groups {
		if _, remains := next.Groups[arn]; !remains {
			live.close()
			live.setMetrics("")
			delete(p.groups, arn)
		}
	}
}

func (p *Plane) publishAfter(l *liveListener, t *table, delay time.Duration) {
	p.tasks.Go(func() {
		if sleep(p.ctx, delay) == nil {
			l.publish(t)
		}
	})
}

// shutDown closes the sockets of a listener and lets in-flight requests and connections finish.
func (p *Plane) shutDown(l *liveListener) {
	if l == nil {
		return
	}
	if err := l.front.stop(); err != nil {
		p.opts.Log.Debug("closing a listener", "error", err)
	}
	p.tasks.Go(func() {
		if err := l.front.finish(p.ctx); err != nil {
			p.opts.Log.Debug("listener did not shut down in time", "error", err, "closed", l.front.close())
		}
	})
}

func (p *Plane) groupCounter(arn string) *groupCounter {
	if p.groupCounts[arn] == nil {
		p.groupCounts[arn] = &groupCounter{}
	}
	return p.groupCounts[arn]
}

// Counts returns what was counted for a target group since its creation, also after its deletion.
func (p *Plane) Counts(groupARN string) Counts {
	p.mu.Lock()
	counter := p.groupCounts[groupARN]
	p.mu.Unlock()
	if counter == nil {
		return Counts{Targets: map[string]Counts{}}
	}
	return counter.readAll()
}

// AllCounts returns the counts of all target groups by ARN.
func (p *Plane) AllCounts() map[string]Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]Counts{}
	for arn, c := range p.groupCounts {
		out[arn] = c.readAll()
	}
	return out
}

// ListenerCounts returns what was counted for a listener since its creation, also after its deletion.
func (p *Plane) ListenerCounts(listenerARN string) ListenerCounts {
	p.mu.Lock()
	counter := p.listenerCounts[listenerARN]
	p.mu.Unlock()
	if counter == nil {
		return ListenerCounts{}
	}
	return counter.read()
}

// Address returns the address on which a listener accepts connections, "" for an unknown listener.
func (p *Plane) Address(listenerARN string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.listeners[listenerARN]; l != nil {
		return l.front.address()
	}
	return ""
}

// Health returns the health of all targets of a group, draining ones included, or exactly that of the given ones.
func (p *Plane) Health(groupARN string, targets ...Target) []TargetHealth {
	p.mu.Lock()
	live := p.groups[groupARN]
	p.mu.Unlock()
	var health []TargetHealth
	if live != nil {
		health = live.health()
	}
	if len(targets) > 0 {
		return selectTargets(health, targets)
	}
	return health
}

// Close stops the data plane and returns when nothing of it runs. The context of New must have ended.
func (p *Plane) Close() error {
	p.mu.Lock()
	listeners, groups := p.listeners, p.groups
	p.listeners, p.groups = map[string]*liveListener{}, map[string]*liveGroup{}
	p.mu.Unlock()
	var out []error
	for _, l := range listeners {
		out = append(out, l.front.close())
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

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
