package gate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/promql"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// maxShownQuery is the number of characters of a query that a verdict shows.
const maxShownQuery = 100

// Prometheus is the arguments of the kind "prometheus": one instant query per
// evaluation, at the server's own time, and the limits for its result.
//
// The result is a scalar, or an instant vector whose samples must all be within the
// limits. One sample outside fails the gate, whatever the others are. Otherwise an
// empty vector or a NaN sample (such as 0/0) counts by OnNoData. An infinite value
// compares as a number. A response from which data is missing, as Thanos and
// VictoriaMetrics mark it, is inconclusive unless AllowPartial is set. Anything else (a
// matrix, a string, a native histogram, a rejected query, no response) is an error.
//
// The query itself decides how old its data is: after a weight change, rate(...[1m])
// includes data from before the change for another minute.
type Prometheus struct {
	Request        // the URL is that of the server, without /api/v1
	Query   string // PromQL; required, validated only by the server
	// Method is GET or POST. Empty: POST and, if the server answers 405 or 501, GET.
	Method       string
	OnNoData     OnNoData
	AllowPartial bool
	// Min and Max are the limits, both inclusive; at least one is required.
	Min, Max *float64
	// BearerTokenEnv is the environment variable with a token for the Authorization
	// header; empty: none.
	BearerTokenEnv string
	BasicAuth      *BasicAuth // nil: none
	SigV4          *SigV4     // nil: requests are not signed
}

// BasicAuth is a user and the environment variable with the password.
type BasicAuth struct{ Username, PasswordEnv string }

// SigV4 signs requests with the AWS credentials of the provider, for Amazon Managed Service for
// Prometheus.
type SigV4 struct{ Region string } // empty: that of Dependencies

func (c Prometheus) limits() limits { return limits{c.Min, c.Max} }

// fill fills in the placeholders of the query, which are within quotes, of the URL and of the headers.
func (c Prometheus) fill(f fill) Prometheus {
	c.Query = f(ArgumentError{Argument: "query"}, c.Query, placeholder.InQuotes)
	c.Request = c.Request.fill(f)
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c Prometheus) NeedsLive() *ArgumentError { return filling[Prometheus](c.fill).needsLive() }

// Check returns everything that is wrong with the arguments, without reading the
// environment or files.
func (c Prometheus) Check() []*ArgumentError {
	sample, errs := filling[Prometheus](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c Prometheus) check() []*ArgumentError {
	errs := c.Request.Check()
	if strings.TrimSpace(c.Query) == "" {
		errs = append(errs, &ArgumentError{Argument: "query", Err: ErrMissing})
	}
	if c.Method != "" && c.Method != http.MethodGet && c.Method != http.MethodPost {
		errs = append(errs, invalid("method", "%q is not GET or POST", c.Method))
	}
	return slices.Concat(errs, c.limits().check(), c.OnNoData.check("on_no_data"), c.checkCredentials())
}

// NewPrometheus returns a Prometheus gate, which keeps no connection open between
// evaluations. Wrong arguments are returned as joined *ArgumentError. It also fails if
// there are no AWS credentials for SigV4.
func NewPrometheus(c Prometheus, deps Dependencies) (rollout.Gate, error) {
	return filling[Prometheus](c.fill).build(func(c Prometheus) (rollout.Gate, error) { return newPrometheus(c, deps) })
}

func newPrometheus(c Prometheus, deps Dependencies) (rollout.Gate, error) {
	sent, unset := c.read(deps.Lookup)
	authorization, secretsUnset := c.authorization(deps.Lookup)
	tlsConfig, unread := c.config()
	if errs := slices.Concat(c.check(), unset, secretsUnset, unread); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	if authorization != "" {
		sent.Set("Authorization", authorization)
	}
	httpClient := newClient(tlsConfig)
	if c.SigV4 != nil {
		var err error
		if httpClient.Transport, err = c.sign(httpClient.Transport, deps); err != nil {
			return nil, err
		}
	}
	httpClient.Transport = headerTransport{RoundTripper: httpClient.Transport, sent: sent, get: c.Method == http.MethodGet}
	client, err := api.NewClient(api.Config{Address: c.URL, Client: httpClient})
	if err != nil {
		return nil, invalid("url", "it cannot be parsed") // unreachable after Check
	}
	return &prometheusGate{Prometheus: c, parsed: promql.Parse(c.Query), api: prometheus.NewAPI(client), mask: c.newMask(sent)}, nil
}

type prometheusGate struct {
	Prometheus
	parsed promql.Query
	api    prometheus.API
	mask   mask
}

// Preflight implements rollout.Preflight. It checks that the server responds and
// accepts the query; the result before the shift does not matter. A metric that the
// server has never seen, and a query that cannot have a result for a good version, are
// advice: the metric may appear with the first request.
func (g *prometheusGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	v, empty := g.evaluate(ctx)
	if v.Status == rollout.Errored {
		return v
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: "the query can be evaluated", Advice: g.advice(ctx, empty)}
}

// Evaluate implements rollout.Gate.
func (g *prometheusGate) Evaluate(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	v, _ := g.evaluate(ctx)
	return v
}

// evaluate also reports whether the result is an empty vector.
func (g *prometheusGate) evaluate(ctx context.Context) (v rollout.Verdict, empty bool) {
	start, isPartial := time.Now(), false
	value, warnings, err := g.api.Query(context.WithValue(ctx, partialKey{}, &isPartial), g.Query, time.Time{})
	vector, is := value.(model.Vector)
	empty = is && len(vector) == 0
	switch {
	case err != nil:
		v = g.noResult(ctx, err, time.Since(start))
	case (isPartial || len(partial(warnings)) > 0) && !g.AllowPartial:
		v = rollout.Verdict{Status: rollout.Inconclusive, Detail: "the server reports that the result is partial, so it decides nothing (allow_partial = false)"}
	default:
		v = g.compare(value)
	}
	v.Detail = fmt.Sprintf("query %s at %s: %s%s", g.queryText(), displayURL(g.URL), v.Detail, g.warningText(warnings))
	return v, empty
}

// partial returns the warnings about data that is missing. The others are about the query itself.
func partial(warnings prometheus.Warnings) []string {
	return slices.DeleteFunc(slices.Clone(warnings), func(w string) bool {
		return strings.HasPrefix(w, "PromQL info") || strings.HasPrefix(w, "PromQL warning")
	})
}

// queryText returns the beginning of the query on one line.
func (g *prometheusGate) queryText() string {
	query := []rune(strings.Join(strings.Fields(g.mask.hide(g.Query)), " "))
	if len(query) > maxShownQuery {
		return string(query[:maxShownQuery]) + "..."
	}
	return string(query)
}

func (g *prometheusGate) warningText(warnings prometheus.Warnings) string {
	if len(warnings) == 0 {
		return ""
	}
	return ". Server warnings: " + oneLine(g.mask.hide(strings.Join(warnings, "; ")))
}

// Causes of Errored. The server's own error is in the verdict's text, where secrets
// are masked.
var (
	errRefused       = errors.New("the server returned no result")
	errNotComparable = errors.New("the result is neither a scalar nor an instant vector of numbers")
)

// noResult returns the verdict if the query has no usable result.
func (g *prometheusGate) noResult(ctx context.Context, err error, took time.Duration) rollout.Verdict {
	if refused, ok := errors.AsType[*prometheus.Error](err); ok {
		text := oneLine(g.mask.hide(refused.Error()))
		if body := oneLine(g.mask.hide(refused.Detail)); body != "" {
			text += ". Response: " + body
		}
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: errRefused}
	}
	if redirect, ok := errors.AsType[redirectError](err); ok {
		return rollout.Verdict{Status: rollout.Errored, Final: true, Detail: g.mask.hide(redirect.Error()), Err: errRefused}
	}
	if _, ok := errors.AsType[*url.Error](err); !ok && ctx.Err() == nil {
		return rollout.Verdict{Status: rollout.Errored, Detail: "the result cannot be used: " + oneLine(g.mask.hide(err.Error())), Err: errNotComparable}
	}
	text, cause := g.mask.noResponse(ctx, err, took)
	return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}
}

// compare compares a result with the limits.
func (g *prometheusGate) compare(value model.Value) rollout.Verdict {
	switch v := value.(type) {
	case *model.Scalar:
		return g.evaluateSamples([]labeledSample{{value: float64(v.Value)}}, "scalar")
	case model.Vector:
		var all []labeledSample
		for _, s := range v {
			if s.Histogram != nil {
				return incomparable("a native histogram, expected one number per series; use histogram_quantile or histogram_fraction")
			}
			all = append(all, labeledSample{value: float64(s.Value), labels: s.Metric})
		}
		return g.evaluateSamples(all, "1 sample")
	case model.Matrix:
		return incomparable("a matrix (range vector), expected a scalar or an instant vector")
	default:
		return incomparable(fmt.Sprintf("of type %T, expected a scalar or an instant vector", value))
	}
}

func incomparable(what string) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: "the result is " + what, Err: errNotComparable}
}

// maxResultBytes is how many bytes of a result are read. That is about ten thousand
// samples, more than a limit is useful for.
const maxResultBytes = 10 << 20

var errTooLong = errors.New("the response is larger than 10 MiB")

// redirectError is the error for a response with a 3xx status.
type redirectError struct {
	status int
	to     string
}

// Error implements error.
func (r redirectError) Error() string {
	if r.to == "" {
		return fmt.Sprintf("status %d, expected the result of a query", r.status)
	}
	return fmt.Sprintf("status %d to %s (redirects are not followed)", r.status, r.to)
}

// headerTransport adds headers to the requests of the Prometheus client, which has no
// option for them, and limits the size of responses.
type headerTransport struct {
	http.RoundTripper
	sent http.Header
	get  bool // sends a query as GET
}

// partialKey is the key of a *bool in a context, which a response sets that is marked as partial.
type partialKey struct{}

// RoundTrip implements http.RoundTripper.
func (c headerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	addHeaders(req, c.sent)
	if c.get && req.Method == http.MethodPost {
		if err := useGet(req); err != nil {
			return nil, err
		}
	}
	res, err := c.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 && res.StatusCode <= 399 {
		_ = res.Body.Close()
		return nil, redirectError{res.StatusCode, redirectTarget(res)}
	}
	buffered := bufio.NewReader(res.Body)
	if flag, asked := req.Context().Value(partialKey{}).(*bool); asked {
		head, _ := buffered.Peek(partialMark)
		*flag = bytes.Contains(head, []byte(`"isPartial":true`))
	}
	res.Body = &limitedBody{Reader: buffered, Closer: res.Body, remaining: maxResultBytes + 1}
	return res, nil
}

// partialMark is how many bytes of a response may precede the mark of VictoriaMetrics that it is
// partial.
const partialMark = 100

// useGet moves the form of a request into its URL.
func useGet(req *http.Request) error {
	form, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	_ = req.Body.Close()
	u := *req.URL
	u.RawQuery = string(form)
	req.Method, req.URL, req.Body, req.GetBody, req.ContentLength = http.MethodGet, &u, nil, nil, 0
	req.Header.Del("Content-Type")
	return nil
}

// limitedBody returns errTooLong if a body is too long.
type limitedBody struct {
	io.Reader
	io.Closer
	remaining int
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		return 0, errTooLong
	}
	n, err := b.Reader.Read(p[:min(len(p), b.remaining)])
	b.remaining -= n
	return n, err
}
