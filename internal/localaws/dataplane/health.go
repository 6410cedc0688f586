package dataplane

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
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
	settings HealthCheck
	interval time.Duration
	timeout  time.Duration
	client   *http.Client
	stop     context.CancelFunc
}

// updateCheck starts or stops the health checks of a target and sets the resulting state. The caller holds the
// group's lock.
func (g *liveGroup) updateCheck(t *liveTarget, restart bool) {
	switch {
	case g.config.Zones == nil:
		t.setUnchecked(stateUnused, "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
	case t.record.Zone != "" && t.record.Zone != "all" && !g.config.Zones[t.record.Zone]:
		t.setUnchecked(stateUnused, "Target.NotInUse", "Target is in an Availability Zone that is not enabled for the load balancer")
	case !g.config.Health.Enabled || t.address == "":
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
	settings := g.config.Health
	c := &checker{
		group: g, target: t, settings: settings, stop: cancel,
		interval: time.Duration(settings.Interval) * time.Second,
		timeout:  time.Duration(settings.Timeout) * time.Second,
	}
	if fast := g.plane.opts.FastHealth; fast > 0 {
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
		if t.state == stateInitial || t.passes >= c.settings.Healthy {
			t.state, t.reason, t.description = stateHealthy, "", ""
		}
	} else {
		t.passes, t.fails = 0, t.fails+1
		if t.state == stateUnhealthy || t.fails >= c.settings.Unhealthy {
			t.state, t.reason, t.description = stateUnhealthy, result.reason, result.description
		}
		if t.state == stateUnhealthy && previous != stateUnhealthy && g.config.CutUnhealthy {
			t.flows.cut()
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
	if c.settings.Port != "traffic-port" {
		port = c.settings.Port
	}
	address := net.JoinHostPort(host, port)
	if c.settings.Protocol == "TCP" {
		return c.probeTCP(ctx, address)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ToLower(c.settings.Protocol)+"://"+address+c.settings.Path, nil)
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
	matcher, err := parseMatcher(c.settings.Matcher)
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

// statusCodes is a set of HTTP status codes, as inclusive ranges.
type statusCodes [][2]int

func (m statusCodes) match(code int) bool {
	return slices.ContainsFunc(m, func(r [2]int) bool { return code >= r[0] && code <= r[1] })
}

// CheckMatcher returns an error for a text that is not the matcher of a health check.
func CheckMatcher(text string) error {
	_, err := parseMatcher(text)
	return err
}

// matcherForm is compiled once: every health check parses its matcher.
var matcherForm = regexp.MustCompile(`^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$`)

// parseMatcher parses "200", "200,202" or "200-299". An empty text stands for "200-399", the default of health checks
// by network load balancers.
func parseMatcher(text string) (statusCodes, error) {
	text = cmp.Or(text, "200-399")
	var out statusCodes
	if !matcherForm.MatchString(text) {
		return nil, fmt.Errorf("'%s' must be a value or a range of values such as '200', '200,202' or '200-299'", text)
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		if errLow != nil || errHigh != nil || low < 200 || high > 599 || low > high {
			return nil, fmt.Errorf("'%s' must be within '200-499'", text)
		}
		out = append(out, [2]int{low, high})
	}
	return out, nil
}

// selectTargets returns the health of every requested target. A target that is not registered is reported as such.
func selectTargets(health []TargetHealth, requested []Target) []TargetHealth {
	var out []TargetHealth
	for _, t := range requested {
		at := slices.IndexFunc(health, func(h TargetHealth) bool { return h.Target.Same(t) })
		if at >= 0 {
			out = append(out, health[at])
			continue
		}
		out = append(out, TargetHealth{Target: t, State: stateUnused, Reason: "Target.NotRegistered", Description: "Target is not registered to the target group"})
	}
	return out
}
