package gate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	maxBodyBytes  = 1 << 20 // bytes of an answer that are read
	maxShownBytes = 200     // bytes of it that are told
)

// HTTP is the arguments of the kind "http": a request that is sent once per
// sample, and what its answer must be.
//
// Each sample has a connection of its own, since behind a balancer a connection
// that is kept would measure one target over and over. Redirects are not
// followed: the answer would be that of another host, so a redirect is an answer
// like any other, and ExpectStatus may name it.
//
// From the moment that a request is sent, what comes back is the answer of
// what is measured, and a connection that breaks is a fail as a 502 is. What goes
// wrong before (no such host, connection refused, a certificate that is not
// trusted) is an error, as it may lie with the machine that measures. So is no
// answer within the gate's timeout; but where MaxLatency has passed by then, it
// is a fail.
type HTTP struct {
	URL        string            // http or https; required
	Method     string            // default GET
	Headers    map[string]string // "Host" is the host that is asked for
	HeadersEnv map[string]string // by header: the environment variable with its value
	Body       string
	// ExpectStatus are the codes that pass; none given: 200 to 299.
	ExpectStatus  []int
	ExpectHeaders map[string]string // exact values; of several one must be it
	ExpectBody    string            // a regular expression that the first MiB must match; empty: any body
	// MaxLatency is for one sample, from the beginning of its connection to the
	// last byte read. 0: any.
	MaxLatency time.Duration
	// Samples is how many requests are sent one after the other each time, of
	// which all must pass. 0 is 1.
	Samples            int
	InsecureSkipVerify bool // take any certificate
}

// Check returns everything that is wrong with the arguments, without looking at
// the environment.
func (c HTTP) Check() []*ArgumentError {
	errs := checkURL("url", c.URL)
	if c.Method != "" && !tokenPattern.MatchString(c.Method) {
		errs = append(errs, invalid("method", "it is no method of HTTP"))
	}
	errs = append(errs, headers{c.Headers, c.HeadersEnv}.check()...)
	for _, code := range c.ExpectStatus {
		if code < 100 || code > 599 {
			errs = append(errs, invalid("expect_status", "%d is not between 100 and 599", code))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.ExpectHeaders)) {
		if !tokenPattern.MatchString(name) {
			errs = append(errs, &ArgumentError{
				Argument: "expect_headers", Key: name, Err: fmt.Errorf("%w: it is no name of a header", ErrInvalid),
			})
		}
	}
	if _, err := regexp.Compile(c.ExpectBody); err != nil {
		errs = append(errs, invalid("expect_body", "%w", err))
	}
	if c.MaxLatency < 0 {
		errs = append(errs, invalid("max_latency", "%s is negative", c.MaxLatency))
	}
	if c.Samples < 0 {
		errs = append(errs, invalid("samples", "%d is negative", c.Samples))
	}
	return errs
}

// NewHTTP returns a gate of the kind, which holds nothing open between two
// calls. It returns what is wrong with the arguments as *ArgumentError, joined.
func NewHTTP(c HTTP, means Dependencies) (rollout.Gate, error) {
	sent, unset := headers{c.Headers, c.HeadersEnv}.read(means.Lookup)
	if errs := append(c.Check(), unset...); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	c.Method, c.Samples = cmp.Or(c.Method, http.MethodGet), cmp.Or(c.Samples, 1)
	g := &httpGate{HTTP: c, sent: sent, body: regexp.MustCompile(c.ExpectBody), mask: newMask(sent, credentials(c.URL)...)}
	g.client = newClient(&tls.Config{InsecureSkipVerify: c.InsecureSkipVerify})
	return g, nil
}

func joinErrors(errs []*ArgumentError) error {
	var all []error
	for _, err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// credentials are those in a URL, as they are written and as they are sent.
func credentials(text string) []string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password, base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))}
}

type httpGate struct {
	HTTP
	client *http.Client
	sent   http.Header
	body   *regexp.Regexp
	mask   mask
}

// sample is what came of one request.
type sample struct {
	status rollout.Status
	kind   string // samples that fell short in the same way have the same
	text   string
	body   string // with a fail
	took   time.Duration
	err    error // with Errored
}

// Evaluate implements rollout.Gate. Every sample is taken, even after a bad one, so
// that it can be told how many were; only the end of ctx cuts it short.
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

func (g *httpGate) measure(ctx context.Context) sample {
	var isSent atomic.Bool
	start := time.Now()
	answer, err := g.send(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { isSent.Store(info.Err == nil) },
	}))
	took := time.Since(start)
	if err != nil {
		s := g.noResponse(ctx, err, isSent.Load(), took)
		s.took = took
		return s
	}
	s := g.compare(answer, took)
	s.took = took
	if s.status == rollout.Fail {
		s.body = oneLine(g.mask.hide(string(answer.body)))
	}
	return s
}

// response is what is compared of a response.
type response struct {
	status   int
	header   http.Header
	location string
	body     []byte
}

func (g *httpGate) send(ctx context.Context) (response, error) {
	req, err := http.NewRequestWithContext(ctx, g.Method, g.URL, bytes.NewReader([]byte(g.Body)))
	if err != nil {
		return response{}, err
	}
	req.Header = g.sent.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := g.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBodyBytes))
	if err != nil {
		return response{}, err
	}
	a := response{status: res.StatusCode, header: res.Header, body: body}
	if to, err := res.Location(); err == nil {
		a.location = (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String()
	}
	return a, nil
}

// compare says in which way an answer falls short, the status first.
func (g *httpGate) compare(a response, took time.Duration) sample {
	fail := func(sort, format string, args ...any) sample {
		return sample{status: rollout.Fail, kind: sort, text: fmt.Sprintf(format, args...)}
	}
	if !g.accepts(a.status) {
		if a.location != "" {
			return fail("status", "status %d to %s, which is not followed, wanted %s", a.status, g.mask.hide(a.location), g.expectedStatuses())
		}
		return fail("status "+strconv.Itoa(a.status), "status %d, wanted %s", a.status, g.expectedStatuses())
	}
	for _, name := range slices.Sorted(maps.Keys(g.ExpectHeaders)) {
		want, got := g.ExpectHeaders[name], a.header.Values(name)
		if len(got) == 0 {
			return fail("header "+name, "no header %s, wanted %q", name, want)
		}
		if !slices.Contains(got, want) {
			return fail("header "+name, "header %s is %q, wanted %q", name, g.mask.hide(strings.Join(got, ", ")), want)
		}
	}
	if !g.body.Match(a.body) {
		return fail("body", "status %d, and the body does not match /%s/", a.status, g.ExpectBody)
	}
	if g.MaxLatency > 0 && took > g.MaxLatency {
		return fail("latency", "status %d in %s, at most %s", a.status, roundUp(took), g.MaxLatency)
	}
	text := fmt.Sprintf("status %d", a.status)
	return sample{status: rollout.Pass, kind: text, text: text}
}

func (g *httpGate) accepts(status int) bool {
	if len(g.ExpectStatus) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(g.ExpectStatus, status)
}

func (g *httpGate) expectedStatuses() string {
	if len(g.ExpectStatus) == 0 {
		return "200 to 299"
	}
	var codes []string
	for _, code := range g.ExpectStatus {
		codes = append(codes, strconv.Itoa(code))
	}
	return strings.Join(codes, " or ")
}

// noResponse tells what is to be blamed for there being no whole answer.
func (g *httpGate) noResponse(ctx context.Context, err error, isSent bool, took time.Duration) sample {
	// The URL, which the client's error repeats, may hold a token.
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
		if isSent && g.MaxLatency > 0 && took > g.MaxLatency {
			return sample{status: rollout.Fail, kind: "latency", text: fmt.Sprintf("no answer after %s, at most %s", roundUp(took), g.MaxLatency)}
		}
		text := fmt.Sprintf("no answer after %s, when the gate's timeout was over", roundUp(took))
		if errors.Is(err, context.Canceled) {
			text = fmt.Sprintf("no answer after %s, when nobody waited for it any more", roundUp(took))
		}
		return sample{status: rollout.Errored, kind: "timeout", text: text, err: err}
	}
	reason := g.mask.hide(err.Error())
	if isSent {
		return sample{status: rollout.Fail, kind: "broken", text: "the connection broke before the whole answer was there: " + reason}
	}
	return sample{status: rollout.Errored, kind: "unsent", text: "the request could not be sent: " + reason, err: errNoResponse}
}

// verdict puts the samples together: one bad one is a fail, whatever the others
// are; and to pass, all must have been measured.
func (g *httpGate) verdict(all []sample) rollout.Verdict {
	of := func(answer rollout.Status) []sample {
		return slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return s.status != answer })
	}
	asked := g.Method + " " + displayURL(g.URL) + ": "
	if bad := of(rollout.Fail); len(bad) > 0 {
		saw := fmt.Sprintf("%s%d of %d failed: %s", asked, len(bad), len(all), summarize(bad))
		if body := bad[0].body; body != "" {
			saw += ". The first answered: " + body
		}
		return rollout.Verdict{Status: rollout.Fail, Detail: saw}
	}
	if unsure := of(rollout.Errored); len(unsure) > 0 {
		return rollout.Verdict{
			Status: rollout.Errored, Err: unsure[0].err,
			Detail: fmt.Sprintf("%s%d of %d could not be measured: %s", asked, len(unsure), len(all), summarize(unsure)),
		}
	}
	slowest := slices.MaxFunc(all, func(a, b sample) int { return cmp.Compare(a.took, b.took) }).took
	saw := fmt.Sprintf("%s%d of %d passed: %s, the slowest in %s", asked, len(all), len(all), summarize(all), roundUp(slowest))
	if g.MaxLatency > 0 {
		saw += fmt.Sprintf(" (at most %s)", g.MaxLatency)
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: saw}
}

// summarize words in which ways samples went, each with the first of its sort.
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

// displayURL leaves out what may be a secret: user, password and query.
func displayURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}

// oneLine is the beginning of a body, fit to stand in a sentence.
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

// roundUp goes up, so that what is over a limit never reads as at it.
func roundUp(d time.Duration) time.Duration {
	unit := time.Millisecond
	if d < unit {
		unit = time.Microsecond
	}
	return (d + unit - 1).Truncate(unit)
}
