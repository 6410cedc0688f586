package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheus "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// maxShownQuery is how many characters of a query are told.
const maxShownQuery = 100

// Prometheus is the arguments of the kind "prometheus": one instant query per
// call, at the server's own time, and the limits that its result must keep to.
//
// The result is a scalar, or an instant vector of which every sample must keep to
// the limits. One that does not is a fail, whatever the others are. Where none
// does so, an empty vector and a sample that is no number (NaN, as a division of
// nothing by nothing gives) are inconclusive. An infinite value compares as a
// number. Anything else (a matrix, a string, a native histogram, a query that the
// server refuses, no answer) is an error.
//
// How old the data is that a query looks at, the query says: after a change of
// weights, rate(...[1m]) sees the time before for another minute.
type Prometheus struct {
	URL   string // http or https, of the server, without /api/v1; required
	Query string // PromQL; required, and read by the server alone
	// Min and Max are the limits, both included; at least one is required.
	Min, Max   *float64
	Headers    map[string]string // "Host" is the host that is asked for
	HeadersEnv map[string]string // by header: the environment variable with its value
	// BearerTokenEnv is the environment variable with a token, for the header
	// Authorization; empty: none.
	BearerTokenEnv string
	// CAFile is a file of PEM certificates that alone are trusted; empty: those of
	// the machine.
	CAFile string
}

func (c Prometheus) limits() limits { return limits{c.Min, c.Max} }

// Check returns everything that is wrong with the arguments, without looking at
// the environment or at files.
func (c Prometheus) Check() []*ArgumentError {
	errs := checkURL("url", c.URL)
	if strings.TrimSpace(c.Query) == "" {
		errs = append(errs, &ArgumentError{Argument: "query", Err: ErrMissing})
	}
	errs = append(errs, c.limits().check()...)
	errs = append(errs, headers{c.Headers, c.HeadersEnv}.check()...)
	if c.BearerTokenEnv != "" {
		if err := checkVariable(c.BearerTokenEnv); err != nil {
			errs = append(errs, &ArgumentError{Argument: "bearer_token_env", Err: err})
		}
	}
	return append(errs, c.checkAuthorization()...)
}

// checkAuthorization wants one word at most on who asks: of two, one would be
// dropped in silence.
func (c Prometheus) checkAuthorization() []*ArgumentError {
	u, err := url.Parse(c.URL)
	var given []string
	for _, way := range []struct {
		argument string
		is       bool
	}{
		{"url", err == nil && u.User != nil},
		{"headers", hasHeader(c.Headers, "Authorization")},
		{"headers_env", hasHeader(c.HeadersEnv, "Authorization")},
		{"bearer_token_env", c.BearerTokenEnv != ""},
	} {
		if way.is {
			given = append(given, way.argument)
		}
	}
	// Between the two maps it is a header that is given twice.
	if len(given) < 2 || given[0] == "headers" && given[1] == "headers_env" {
		return nil
	}
	last := given[len(given)-1]
	return []*ArgumentError{invalid(last, "Authorization is given twice, by %s already", given[0])}
}

// NewPrometheus returns a gate of the kind, which holds nothing open between two
// calls. It returns what is wrong with the arguments as *ArgumentError, joined.
func NewPrometheus(c Prometheus, means Dependencies) (rollout.Gate, error) {
	sent, unset := headers{c.Headers, c.HeadersEnv}.read(means.Lookup)
	errs := append(c.Check(), unset...)
	if err := authorize(sent, c.BearerTokenEnv, means.Lookup); err != nil {
		errs = append(errs, &ArgumentError{Argument: "bearer_token_env", Err: err})
	}
	trusted, err := loadCAs(c.CAFile)
	if err != nil {
		errs = append(errs, invalid("ca_file", "%w", err))
	}
	if len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	client := newClient(trusted)
	client.Transport = headerTransport{client.Transport, sent}
	asked, err := api.NewClient(api.Config{Address: c.URL, Client: client})
	if err != nil {
		return nil, invalid("url", "it cannot be read") // Check has read it
	}
	return &prometheusGate{Prometheus: c, api: prometheus.NewAPI(asked), mask: newMask(sent, credentials(c.URL)...)}, nil
}

// authorize adds the token that a variable holds.
func authorize(sent http.Header, variable string, lookup Lookup) error {
	if variable == "" {
		return nil
	}
	text, err := lookup.secret(variable)
	if err == nil {
		err = checkValue(text)
	}
	if err == nil {
		sent.Set("Authorization", "Bearer "+text)
	}
	return err
}

// loadCAs reads what is trusted; nil for an empty name.
func loadCAs(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return &tls.Config{RootCAs: pool}, nil
}

type prometheusGate struct {
	Prometheus
	api  prometheus.API
	mask mask
}

// Preflight implements rollout.Preflight: whether the server can be asked, and
// takes the query. What it says before the shift does not matter.
func (g *prometheusGate) Preflight(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	if v := g.Evaluate(ctx, m); v.Status == rollout.Errored {
		return v
	}
	return rollout.Verdict{Status: rollout.Pass, Detail: "the query can be asked"}
}

// Evaluate implements rollout.Gate.
func (g *prometheusGate) Evaluate(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	start := time.Now()
	value, warnings, err := g.api.Query(ctx, g.Query, time.Time{})
	var v rollout.Verdict
	if err != nil {
		v = g.noResult(ctx, err, time.Since(start))
	} else {
		v = g.compare(value)
	}
	v.Detail = fmt.Sprintf("query %s at %s: %s%s", g.queryText(), displayURL(g.URL), v.Detail, g.warningText(warnings))
	return v
}

// queryText is the beginning of the query, on one line.
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
	return ". The server warns: " + oneLine(g.mask.hide(strings.Join(warnings, "; ")))
}

// Causes of an error of measuring. What the server said is in the verdict's text,
// where secrets are masked.
var (
	errRefused       = errors.New("the server gave no result")
	errNotComparable = errors.New("the result is neither a number nor a vector of numbers")
)

// noResult words why there is no result.
func (g *prometheusGate) noResult(ctx context.Context, err error, took time.Duration) rollout.Verdict {
	if refused, ok := errors.AsType[*prometheus.Error](err); ok {
		text := oneLine(g.mask.hide(refused.Error()))
		if body := oneLine(g.mask.hide(refused.Detail)); body != "" {
			text += ". It answered: " + body
		}
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: errRefused}
	}
	if elsewhere, ok := errors.AsType[redirectError](err); ok {
		return rollout.Verdict{Status: rollout.Errored, Detail: g.mask.hide(elsewhere.Error()), Err: errRefused}
	}
	if _, ok := errors.AsType[*url.Error](err); !ok && ctx.Err() == nil {
		return rollout.Verdict{Status: rollout.Errored, Detail: "the result cannot be used: " + oneLine(g.mask.hide(err.Error())), Err: errNotComparable}
	}
	text, cause := g.mask.noResponse(ctx, err, took)
	return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}
}

// compare holds a result against the limits.
func (g *prometheusGate) compare(value model.Value) rollout.Verdict {
	switch v := value.(type) {
	case *model.Scalar:
		return g.evaluateSamples([]labeledSample{{value: float64(v.Value)}}, "a scalar")
	case model.Vector:
		var all []labeledSample
		for _, s := range v {
			if s.Histogram != nil {
				return incomparable("a native histogram, which has many values; histogram_quantile or histogram_fraction makes one of them")
			}
			all = append(all, labeledSample{value: float64(s.Value), labels: s.Metric})
		}
		return g.evaluateSamples(all, "1 sample")
	case model.Matrix:
		return incomparable("a matrix (range vector), wanted a scalar or an instant vector")
	default:
		return incomparable(fmt.Sprintf("a result of a kind that is not known (%T), wanted a scalar or an instant vector", value))
	}
}

func incomparable(what string) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: "the result is " + what, Err: errNotComparable}
}
