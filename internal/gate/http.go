package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	maxBodyBytes  = 1 << 20 // bytes of a response body that are read
	maxShownBytes = 200     // bytes of it that a verdict shows
)

// HTTP is the arguments of the kind "http": a request that is sent once per
// sample, and what its response must be.
//
// Each sample uses its own connection: behind a load balancer, a reused connection
// would measure the same target every time. Redirects are not followed, because the
// response would be that of another host. A redirect is a response like any other,
// and ExpectStatus may include it.
//
// After a request is sent, a broken connection is a fail, as a 502 is. A failure
// before that (unknown host, connection refused, untrusted certificate) is an error,
// because its cause may be the machine that measures. A response that does not
// arrive completely within the gate's timeout is an error too, or a fail if MaxLatency
// has passed by then, or if its status and headers are not the expected ones.
type HTTP struct {
	Request
	Method string // default GET
	Body   string
	// ExpectStatus are the codes that pass; empty means 200 to 299.
	ExpectStatus  []int
	ExpectHeaders map[string]string // exact values; if a header is repeated, one of them must match
	ExpectBody    string            // a regular expression that the first MiB must match; empty: any body
	JSON          []JSONValue       // what the body must have; it is JSON of at most 1 MiB then
	// MaxLatency is the limit for one sample, from the start of its connection to the
	// last byte read. 0 means no limit.
	MaxLatency time.Duration
	// Samples is the number of requests per evaluation. They are sent one after the
	// other, and all must pass. 0 means 1.
	Samples            int
	InsecureSkipVerify bool // accept any certificate
}

// fill fills in the placeholders of the URL, the headers, and what the response must have.
func (c HTTP) fill(f fill) HTTP {
	c.Request = c.Request.fill(f)
	c.ExpectHeaders = f.fillMap("expect_headers", c.ExpectHeaders)
	c.ExpectBody = f(ArgumentError{Argument: "expect_body"}, c.ExpectBody, regexp.QuoteMeta)
	c.JSON = slices.Clone(c.JSON)
	for i, v := range c.JSON {
		if v.Equals != nil {
			c.JSON[i].Equals = new(f(ArgumentError{Block: "json", Index: i, Argument: "equals"}, *v.Equals, placeholder.Plain))
		}
	}
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c HTTP) NeedsLive() *ArgumentError { return filling[HTTP](c.fill).needsLive() }

// Check returns everything that is wrong with the arguments, without reading the
// environment.
func (c HTTP) Check() []*ArgumentError {
	sample, errs := filling[HTTP](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c HTTP) check() []*ArgumentError {
	errs := c.Request.Check()
	if c.Method != "" && !tokenPattern.MatchString(c.Method) {
		errs = append(errs, invalid("method", "it is not an HTTP method"))
	}
	for _, code := range c.ExpectStatus {
		if code < 100 || code > 599 {
			errs = append(errs, invalid("expect_status", "%d is not between 100 and 599", code))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.ExpectHeaders)) {
		if !tokenPattern.MatchString(name) {
			errs = append(errs, &ArgumentError{
				Argument: "expect_headers", Key: name, Err: fmt.Errorf("%w: it is not a header name", ErrInvalid),
			})
		}
	}
	if _, err := regexp.Compile(c.ExpectBody); err != nil {
		errs = append(errs, invalid("expect_body", "%w", err))
	}
	for i, v := range c.JSON {
		errs = append(errs, v.check(i)...)
	}
	errs = append(errs, c.checkSkipVerify(c.InsecureSkipVerify)...)
	if c.MaxLatency < 0 {
		errs = append(errs, invalid("max_latency", "%s is negative", c.MaxLatency))
	}
	if c.Samples < 0 {
		errs = append(errs, invalid("samples", "%d is negative", c.Samples))
	}
	return errs
}

// NewHTTP returns an HTTP gate, which keeps no connection open between evaluations.
// Wrong arguments are returned as joined *ArgumentError.
func NewHTTP(c HTTP, deps Dependencies) (rollout.Gate, error) {
	return filling[HTTP](c.fill).build(func(c HTTP) (rollout.Gate, error) { return newHTTP(c, deps) })
}

func newHTTP(c HTTP, deps Dependencies) (rollout.Gate, error) {
	sent, unset := c.read(deps.Lookup)
	config, unread := c.config()
	if errs := slices.Concat(c.check(), unset, unread); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	c.Method, c.Samples = cmp.Or(c.Method, http.MethodGet), cmp.Or(c.Samples, 1)
	g := &httpGate{HTTP: c, sent: sent, body: regexp.MustCompile(c.ExpectBody), mask: c.newMask(sent)}
	for _, v := range c.JSON {
		g.values = append(g.values, v.parse())
	}
	config.InsecureSkipVerify = c.InsecureSkipVerify
	g.client = newClient(config)
	return g, nil
}

type httpGate struct {
	HTTP
	client *http.Client
	sent   http.Header
	body   *regexp.Regexp
	values []parsedValue
	mask   mask
}

// sample is the result of one request.
type sample struct {
	status rollout.Status
	kind   string // groups samples with the same result
	text   string
	body   string // set with Fail
	took   time.Duration
	err    error // set with Errored
}

// Preflight implements rollout.Preflight. It connects to the server, but sends no request, whose
// response may be bad before the environment has any traffic.
func (g *httpGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	req, err := http.NewRequestWithContext(ctx, g.Method, g.URL, nil)
	v := g.mask.reachVerdict(ctx, g.client, req, err)
	v.Detail = g.Method + " " + displayURL(g.URL) + ": " + v.Detail
	return v
}

// Evaluate implements rollout.Gate. It takes every sample, even after a failed one,
// because the verdict reports how many failed; it stops early only if ctx ends.
func (g *httpGate) Evaluate(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	var all []sample
	for range g.Samples {
		s := g.measure(ctx)
		all = append(all, s)
		if ctx.Err() != nil && s.status != rollout.Pass {
			break
		}
	}
	return g.verdict(all)
}

// verdict combines the samples: one failed sample fails the gate, and all must be
// measured to pass.
func (g *httpGate) verdict(all []sample) rollout.Verdict {
	withStatus := func(status rollout.Status) []sample {
		return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.status != status })
	}
	measured := g.measured(all)
	request := g.Method + " " + displayURL(g.URL) + ": "
	if failed := withStatus(rollout.Fail); len(failed) > 0 {
		text := fmt.Sprintf("%s%d of %s failed: %s", request, len(failed), requestsText(float64(len(all))), summarize(failed))
		if body := failed[0].body; body != "" {
			text += ". First response: " + body
		}
		return rollout.Verdict{Status: rollout.Fail, Detail: text, Measured: measured}
	}
	if errored := withStatus(rollout.Errored); len(errored) > 0 {
		return rollout.Verdict{
			Status: rollout.Errored, Err: errored[0].err,
			Detail: fmt.Sprintf("%s%d of %s could not be measured: %s", request, len(errored), requestsText(float64(len(all))), summarize(errored)),
		}
	}
	slowest := slices.MaxFunc(all, func(a, b sample) int { return cmp.Compare(a.took, b.took) }).took
	text := fmt.Sprintf("%s%d of %s passed: %s, the slowest in %s", request, len(all), requestsText(float64(len(all))), summarize(all), roundUp(slowest))
	if g.MaxLatency > 0 {
		text += fmt.Sprintf(" (limit %s)", g.MaxLatency)
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: text, Measured: measured}
}

// measured returns how many of the samples failed, and the slowest one.
func (g *httpGate) measured(all []sample) []rollout.Measurement {
	bad, slowest := 0, time.Duration(0)
	for _, s := range all {
		if s.status == rollout.Fail {
			bad++
		}
		slowest = max(slowest, s.took)
	}
	return []rollout.Measurement{
		{Name: "failed requests", Value: float64(bad), Max: new(0.0), Samples: len(all)},
		{Name: "slowest response", Unit: "s", Value: slowest.Seconds(), Max: secondsLimit(g.MaxLatency), Samples: len(all)},
	}
}

// summarize describes samples, each kind once by its first sample.
func summarize(samples []sample) string {
	var texts []string
	for i, s := range samples {
		same := func(other sample) bool { return other.kind == s.kind }
		if slices.IndexFunc(samples, same) != i {
			continue
		}
		text := s.text
		if n := len(slices.DeleteFunc(slices.Clone(samples), func(o sample) bool { return !same(o) })); n > 1 && s.status != rollout.Pass {
			text += fmt.Sprintf(" (%d times)", n)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// displayURL returns a URL without the parts that may be a secret: user, password
// and query.
func displayURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// oneLine returns the beginning of a text as one printable line.
func oneLine(body string) string {
	printable := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(body, "?"))
	line := strings.Join(strings.Fields(printable), " ")
	if len(line) <= maxShownBytes {
		return line
	}
	return strings.ToValidUTF8(line[:maxShownBytes], "") + "..."
}

// roundUp rounds up to milliseconds or microseconds, so that a value above a limit
// never reads as equal to it.
func roundUp(d time.Duration) time.Duration {
	unit := time.Millisecond
	if d < unit {
		unit = time.Microsecond
	}
	return (d + unit - 1).Truncate(unit)
}
