package rehearsal

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// VersionHeader is the header with the version that responded. A response without it does not come from
// the application.
const VersionHeader = "X-Version"

// Load is a running, steady stream of requests.
type Load struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	counts Counts
}

// Counts is what a load has observed so far. A request is lost when it got no response of the application:
// the connection failed, or the load balancer generated the response.
type Counts struct {
	Requests  int
	Lost      int
	ByVersion map[string]int // responses, including bad ones
	Bad       map[string]int // responses of the application with a status of 500 or more
	FirstBad  time.Time      // time of the first bad response; zero: none
	LastBad   time.Time      // time of the last bad response
	FirstLost string         // what happened to the first lost request
	LostAt    []time.Time    // when each lost request ended, in order
	Slowest   time.Duration
}

// LostAfter returns how many lost requests ended after a time.
func (c Counts) LostAfter(t time.Time) int {
	first := slices.IndexFunc(c.LostAt, t.Before)
	if first < 0 {
		return 0
	}
	return len(c.LostAt) - first
}

// Since returns the difference from an earlier reading.
func (c Counts) Since(before Counts) Counts {
	d := Counts{Requests: c.Requests - before.Requests, Lost: c.Lost - before.Lost, FirstLost: c.FirstLost, FirstBad: c.FirstBad, LastBad: c.LastBad, LostAt: c.LostAt[len(before.LostAt):],
		ByVersion: map[string]int{}, Bad: map[string]int{}, Slowest: c.Slowest}
	for v, n := range c.ByVersion {
		d.ByVersion[v] = n - before.ByVersion[v]
	}
	for v, n := range c.Bad {
		d.Bad[v] = n - before.Bad[v]
	}
	return d
}

// Share is the share of a version in the responses, in percent.
func (c Counts) Share(version string) float64 {
	if c.Requests == 0 {
		return 0
	}
	return 100 * float64(c.ByVersion[version]) / float64(c.Requests)
}

// LoadTerms configures a load. Requests start at the rate whether or not earlier ones have been answered, as
// long as a client is free.
type LoadTerms struct {
	URL     string
	Rate    int // requests per second
	Clients int // number of clients, each with a keep-alive connection
	// NewConnections makes every request open a connection of its own.
	NewConnections bool
	// Resolver resolves the host name of the URL for every new connection; nil: that of this machine.
	Resolver *net.Resolver
}

// requestTimeout bounds a request.
const requestTimeout = 30 * time.Second

// StartLoad starts a load; Stop ends it. Every other request is a POST, which must not be retried, so that a
// retry cannot hide a loss.
func StartLoad(t LoadTerms) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{cancel: cancel, counts: Counts{ByVersion: map[string]int{}, Bad: map[string]int{}}}
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, Resolver: t.Resolver}).DialContext,
		MaxIdleConnsPerHost: t.Clients,
		MaxConnsPerHost:     t.Clients,
		DisableKeepAlives:   t.NewConnections,
	}}
	due := make(chan int, t.Clients)
	for range t.Clients {
		l.done.Go(func() {
			for n := range due {
				l.ask(client, t.URL, n)
			}
		})
	}
	l.done.Go(func() { pace(ctx, t.Rate, due) })
	return l
}

// pace schedules requests, a few milliseconds at a time.
func pace(ctx context.Context, rate int, due chan<- int) {
	defer close(due)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	began, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			want := int(now.Sub(began).Seconds() * float64(rate))
			if !handOut(ctx, due, sent, want) {
				return
			}
			sent = max(sent, want)
		}
	}
}

// handOut passes the requests of a range of numbers to the clients; false when the load has ended.
func handOut(ctx context.Context, due chan<- int, from, to int) bool {
	for n := from; n < to; n++ {
		select {
		case due <- n:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// ask sends one request and counts the response. Stop does not cancel it.
func (l *Load) ask(client *http.Client, url string, n int) {
	method, body := http.MethodGet, io.Reader(nil)
	if n%2 == 1 {
		method, body = http.MethodPost, strings.NewReader("order")
	}
	began := time.Now()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		l.count("", 0, err.Error(), 0)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		l.count("", 0, err.Error(), time.Since(began))
		return
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	version, lost := resp.Header.Get(VersionHeader), ""
	switch {
	case err != nil:
		version, lost = "", "answer cut off: "+err.Error()
	case version == "":
		lost = "answered by the balancer: " + resp.Status
	}
	l.count(version, resp.StatusCode, lost, time.Since(began))
}

func (l *Load) count(version string, status int, lost string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.counts
	c.Requests++
	c.Slowest = max(c.Slowest, took)
	if lost != "" {
		c.Lost++
		c.LostAt = append(c.LostAt, time.Now())
		if c.FirstLost == "" {
			c.FirstLost = lost
		}
		return
	}
	c.ByVersion[version]++
	if status >= http.StatusInternalServerError {
		c.Bad[version]++
		c.LastBad = time.Now()
		if c.FirstBad.IsZero() {
			c.FirstBad = time.Now()
		}
	}
}

// Counts returns what was observed so far.
func (l *Load) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts
	c.ByVersion, c.Bad, c.LostAt = maps.Clone(c.ByVersion), maps.Clone(c.Bad), slices.Clone(c.LostAt)
	return c
}

// Stop stops sending, waits for outstanding responses, and returns everything that was observed.
func (l *Load) Stop() Counts {
	l.cancel()
	l.done.Wait()
	return l.Counts()
}
