package localalb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// The states of a target, as the API names them.
const (
	stateInitial     = "initial"
	stateHealthy     = "healthy"
	stateUnhealthy   = "unhealthy"
	stateUnused      = "unused"
	stateDraining    = "draining"
	stateUnavailable = "unavailable"
)

// outcome is what one health check found. An empty reason is a pass.
type outcome struct {
	reason, description string
}

// checker checks one target until it is stopped.
type checker struct {
	group    *liveGroup
	target   *liveTarget
	settings healthSettings
	interval time.Duration
	timeout  time.Duration
	client   *http.Client
	stop     context.CancelFunc
}

// supervise starts or stops the checks of a target and gives it the state that follows. The caller holds the
// group's lock.
func (g *liveGroup) supervise(t *liveTarget, restart bool) {
	switch {
	case g.zones == nil:
		t.rest(stateUnused, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	case t.record.zone != "" && t.record.zone != "all" && !g.zones[t.record.zone]:
		t.rest(stateUnused, "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer")
	case !g.record.health.enabled || t.address == "":
		t.rest(stateUnavailable, "Target.HealthCheckDisabled", "Health checks are not enabled for this target")
	case t.check == nil:
		t.state, t.reason, t.description = stateInitial, "Elb.RegistrationInProgress", "Target registration is in progress"
		t.passes, t.fails = 0, 0
		g.startCheck(t)
	case restart:
		t.stopCheck()
		g.startCheck(t)
	}
}

func (t *liveTarget) rest(state, reason, description string) {
	t.stopCheck()
	t.state, t.reason, t.description = state, reason, description
}

func (t *liveTarget) stopCheck() {
	if t.check != nil {
		t.check.stop()
		t.check = nil
	}
}

func (g *liveGroup) startCheck(t *liveTarget) {
	ctx, cancel := context.WithCancel(g.plane.ctx)
	settings := g.record.health
	c := &checker{
		group: g, target: t, settings: settings, stop: cancel,
		interval: time.Duration(settings.interval) * time.Second,
		timeout:  time.Duration(settings.timeout) * time.Second,
	}
	if fast := g.plane.cfg.fastHealth; fast > 0 {
		c.interval = fast
	}
	c.client = &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,                                  // a kept connection could outlive the process that it is to judge
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // ALB does not check its targets' certificates either.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.check = c
	g.plane.tasks.Go(func() { c.run(ctx) })
}

func (c *checker) run(ctx context.Context) {
	defer c.stop()
	c.begin()
	for {
		found := c.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		c.report(found)
		if hold(ctx, c.interval) != nil {
			return
		}
	}
}

// begin shows that the first check is under way.
func (c *checker) begin() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	if c.target.check == c && c.target.state == stateInitial {
		c.target.reason, c.target.description = "Elb.InitialHealthChecking", "Initial health checks in progress"
	}
}

// report counts a check. A new target is healthy with its first pass; an unhealthy one needs as many in a row
// as the group says; and any target needs as many failures in a row as the group says to be unhealthy.
func (c *checker) report(found outcome) {
	g, t := c.group, c.target
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.check != c {
		return
	}
	was := t.state
	if found.reason == "" {
		t.passes, t.fails = t.passes+1, 0
		if t.state == stateInitial || t.passes >= c.settings.healthy {
			t.state, t.reason, t.description = stateHealthy, "", ""
		}
	} else {
		t.passes, t.fails = 0, t.fails+1
		if t.state == stateUnhealthy || t.fails >= c.settings.unhealthy {
			t.state, t.reason, t.description = stateUnhealthy, found.reason, found.description
		}
	}
	if t.state != was {
		g.refresh()
	}
}

// probe makes one check.
func (c *checker) probe(ctx context.Context) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	host, port := splitHost(c.target.address)
	if c.settings.port != "traffic-port" {
		port = c.settings.port
	}
	address := net.JoinHostPort(host, port)
	if !isHTTP(c.settings.protocol) {
		return c.probeTCP(ctx, address)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(c.settings.protocol)+"://"+address+c.settings.path, nil)
	if err != nil {
		return failed(err)
	}
	request.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	resp, err := c.client.Do(request)
	if err != nil {
		return failed(err)
	}
	if err := resp.Body.Close(); err != nil {
		return failed(err)
	}
	wanted, err := parseMatcher(or(c.settings.matcher, "200-399"))
	if err != nil {
		return failed(err)
	}
	if !wanted.match(resp.StatusCode) {
		return outcome{reason: "Target.ResponseCodeMismatch", description: fmt.Sprintf("Health checks failed with these codes: [%s]", strconv.Itoa(resp.StatusCode))}
	}
	return outcome{}
}

func (c *checker) probeTCP(ctx context.Context, address string) outcome {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		return failed(err)
	}
	return outcome{}
}

func failed(err error) outcome {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return outcome{reason: "Target.Timeout", description: "Request timed out"}
	}
	return outcome{reason: "Target.FailedHealthChecks", description: "Health checks failed"}
}
