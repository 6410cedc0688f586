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

// The states of a target in the API.
const (
	stateInitial     = "initial"
	stateHealthy     = "healthy"
	stateUnhealthy   = "unhealthy"
	stateUnused      = "unused"
	stateDraining    = "draining"
	stateUnavailable = "unavailable"
)

// probeResult is the result of one health check. An empty reason is a pass.
type probeResult struct {
	reason, description string
}

// checker runs the health checks of one target until it is stopped.
type checker struct {
	group    *liveGroup
	target   *liveTarget
	settings healthSettings
	interval time.Duration
	timeout  time.Duration
	client   *http.Client
	stop     context.CancelFunc
}

// updateCheck starts or stops the health checks of a target and sets the resulting state. The caller holds the
// group's lock.
func (g *liveGroup) updateCheck(t *liveTarget, restart bool) {
	switch {
	case g.zones == nil:
		t.setUnchecked(stateUnused, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	case t.record.zone != "" && t.record.zone != "all" && !g.zones[t.record.zone]:
		t.setUnchecked(stateUnused, "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer")
	case !g.record.health.enabled || t.address == "":
		t.setUnchecked(stateUnavailable, "Target.HealthCheckDisabled", "Health checks are not enabled for this target")
	case t.check == nil:
		t.state, t.reason, t.description = stateInitial, "Elb.RegistrationInProgress", "Target registration is in progress"
		t.passes, t.fails = 0, 0
		g.startCheck(t)
	case restart:
		t.stopCheck()
		g.startCheck(t)
	}
}

func (t *liveTarget) setUnchecked(state, reason, description string) {
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
			DisableKeepAlives: true,                                  // a reused connection could outlive the process under test
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // ALB does not validate certificates of targets either
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
		result := c.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		c.applyResult(result)
		if sleep(ctx, c.interval) != nil {
			return
		}
	}
}

// begin reports the initial health check as in progress.
func (c *checker) begin() {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	if c.target.check == c && c.target.state == stateInitial {
		c.target.reason, c.target.description = "Elb.InitialHealthChecking", "Initial health checks in progress"
	}
}

// applyResult applies the result of a check. A new target becomes healthy with its first pass, an unhealthy one after
// as many consecutive passes as the group requires. Any target becomes unhealthy after that many consecutive failures.
func (c *checker) applyResult(result probeResult) {
	g, t := c.group, c.target
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.check != c {
		return
	}
	previous := t.state
	if result.reason == "" {
		t.passes, t.fails = t.passes+1, 0
		if t.state == stateInitial || t.passes >= c.settings.healthy {
			t.state, t.reason, t.description = stateHealthy, "", ""
		}
	} else {
		t.passes, t.fails = 0, t.fails+1
		if t.state == stateUnhealthy || t.fails >= c.settings.unhealthy {
			t.state, t.reason, t.description = stateUnhealthy, result.reason, result.description
		}
	}
	if t.state != previous {
		g.refresh()
	}
}

// probe makes one health check.
func (c *checker) probe(ctx context.Context) probeResult {
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
	matcher, err := parseMatcher(or(c.settings.matcher, "200-399"))
	if err != nil {
		return failed(err)
	}
	if !matcher.match(resp.StatusCode) {
		return probeResult{reason: "Target.ResponseCodeMismatch", description: fmt.Sprintf("Health checks failed with these codes: [%s]", strconv.Itoa(resp.StatusCode))}
	}
	return probeResult{}
}

func (c *checker) probeTCP(ctx context.Context, address string) probeResult {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		return failed(err)
	}
	return probeResult{}
}

func failed(err error) probeResult {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return probeResult{reason: "Target.Timeout", description: "Request timed out"}
	}
	return probeResult{reason: "Target.FailedHealthChecks", description: "Health checks failed"}
}
