package gate

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// Headers of a request to Datadog.
const (
	apiKeyHeader = "DD-API-KEY"
	appKeyHeader = "DD-APPLICATION-KEY"
)

const (
	// DefaultDatadogSite is the site of accounts in the United States (US1).
	DefaultDatadogSite = "datadoghq.com"
	// DefaultDatadogLag is how long after its time a point counts as complete. The Agent collects
	// every 10 or 15 seconds (https://docs.datadoghq.com/extend/guide/data-collection-resolution)
	// and the newest one or two points of a response have no value yet; a minute covers both.
	// Metrics that Datadog reads from a cloud are later by minutes.
	DefaultDatadogLag = time.Minute
	// datadogWindow is the length of a window that counts, unless Lookback is shorter. It is the
	// longest interval of metrics that are not read from a cloud: in less, a metric may have no
	// point although there is nothing wrong with it.
	datadogWindow = time.Minute
	// minDatadogLookback is the interval of most application metrics (DogStatsD and traces).
	minDatadogLookback = 10 * time.Second
)

var (
	siteName   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	metricName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
)

// Datadog is the arguments of the kind "datadog": a metrics query per evaluation over the time
// since the last weight change, at most Lookback, and the limits for its result.
//
// With version 2 of the API, each group has one value, that of the aggregator; with version 1,
// every point of each time series counts whose interval is within the window. One value outside the
// limits fails the gate. Otherwise OnNoData counts for a series without a value; single points
// without one are normal. An infinite value compares as a number. A request that Datadog rejects, a
// rate limit and no response are errors.
type Datadog struct {
	Request           // the URL replaces that of Site, without /api
	Site       string // such as "datadoghq.eu"; empty: DefaultDatadogSite
	APIVersion string // of the constants of package datadog; empty: V2
	Query      string // empty with Formula
	Formula    string // over the names of Metrics
	Metrics    []datadog.Metric
	Aggregator string // also the default of Metrics; empty: "avg"
	Min, Max   *float64
	Lookback   time.Duration // 0 means DefaultLookback
	Lag        time.Duration
	OnNoData   OnNoData
	// APIKeyEnv and AppKeyEnv are the environment variables with the keys; required.
	APIKeyEnv, AppKeyEnv string
}

func (c Datadog) withDefaults() Datadog {
	if c.URL == "" {
		c.URL = "https://api." + cmp.Or(c.Site, DefaultDatadogSite)
	}
	c.APIVersion, c.Lookback = cmp.Or(c.APIVersion, datadog.V2), cmp.Or(c.Lookback, DefaultLookback).Truncate(time.Second) // the API knows only whole seconds
	return c
}

// FirstData returns how long after a weight change the gate has its first data.
func (c Datadog) FirstData() time.Duration { return c.Lag + c.shortest() }

// shortest returns the length of the shortest window that counts.
func (c Datadog) shortest() time.Duration { return min(c.withDefaults().Lookback, datadogWindow) }

func (c Datadog) limits() limits { return limits{c.Min, c.Max} }

// fill fills in the placeholders of the queries, the URL and the headers.
func (c Datadog) fill(f fill) Datadog {
	c.Query = f(ArgumentError{Argument: "query"}, c.Query, placeholder.InTag)
	c.Metrics = slices.Clone(c.Metrics)
	for i, m := range c.Metrics {
		c.Metrics[i].Query = f(ArgumentError{Block: "metric", Index: i, Argument: "query"}, m.Query, placeholder.InTag)
	}
	c.Request = c.Request.fill(f)
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c Datadog) NeedsLive() *ArgumentError { return filling[Datadog](c.fill).needsLive() }

// Check returns everything that is wrong with the arguments, without reading the
// environment or files.
func (c Datadog) Check() []*ArgumentError {
	sample, errs := filling[Datadog](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c Datadog) check() []*ArgumentError {
	errs := c.checkSite()
	c = c.withDefaults()
	errs = slices.Concat(errs, c.Request.Check(), c.checkKeys(), c.checkQuery())
	if c.Lookback < minDatadogLookback {
		errs = append(errs, invalid("lookback", "%s is shorter than %s", schedule.FormatDuration(c.Lookback), schedule.FormatDuration(minDatadogLookback)))
	}
	if c.Lag < 0 {
		errs = append(errs, invalid("lag", "%s is negative", schedule.FormatDuration(c.Lag)))
	}
	return slices.Concat(errs, c.limits().check(), c.OnNoData.check("on_no_data"))
}

func (c Datadog) checkSite() []*ArgumentError {
	first, rest, _ := strings.Cut(c.Site, ".")
	switch {
	case c.Site == "":
		return nil
	case c.URL != "":
		return []*ArgumentError{invalid("site", "it conflicts with url")}
	case !siteName.MatchString(c.Site):
		return []*ArgumentError{invalid("site", "%q is not a host name, such as datadoghq.eu", c.Site)}
	case first == "app" || first == "api":
		return []*ArgumentError{invalid("site", "write %s, without %s", rest, first)}
	}
	return nil
}

func (c Datadog) apiKey() secret {
	return secret{argument: "api_key_env", variable: c.APIKeyEnv, valid: checkValue}
}

func (c Datadog) appKey() secret {
	return secret{argument: "app_key_env", variable: c.AppKeyEnv, valid: checkValue}
}

func (c Datadog) checkKeys() []*ArgumentError {
	var errs []*ArgumentError
	for _, key := range []secret{c.apiKey(), c.appKey()} {
		if !key.isSet() {
			errs = append(errs, key.fault(ErrMissing)...)
		}
		errs = append(errs, key.check()...)
	}
	for _, reserved := range []string{apiKeyHeader, appKeyHeader, "Content-Type"} {
		for _, argument := range c.setBy(http.CanonicalHeaderKey(reserved)) {
			errs = append(errs, invalid(argument, "the gate sets %s", reserved))
		}
	}
	return errs
}

// checkQuery checks the arguments that say what is measured.
func (c Datadog) checkQuery() []*ArgumentError {
	var errs []*ArgumentError
	if c.APIVersion != datadog.V1 && c.APIVersion != datadog.V2 {
		errs = append(errs, invalid("api_version", "%q is not v1 or v2", c.APIVersion))
	}
	if c.APIVersion == datadog.V1 && c.Aggregator != "" {
		errs = append(errs, invalid("aggregator", `it would have no effect with api_version = "v1", with which every point counts`))
	}
	errs = append(errs, checkAggregator(c.Aggregator)...)
	isEmpty := strings.TrimSpace(c.Query) == ""
	switch {
	case c.Formula == "" && len(c.Metrics) > 0:
		errs = append(errs, &ArgumentError{Argument: "formula", Err: fmt.Errorf("%w with metric blocks", ErrMissing)})
	case c.Formula == "" && isEmpty:
		errs = append(errs, &ArgumentError{Argument: "query", Err: fmt.Errorf("%w unless formula is set", ErrMissing)})
	case c.Formula != "" && !isEmpty:
		errs = append(errs, invalid("formula", "it conflicts with query; put the queries of a formula into metric blocks"))
	case c.Formula != "" && c.APIVersion == datadog.V1:
		errs = append(errs, invalid("formula", `it needs api_version = "v2"; a query of v1 may have arithmetic`))
	case c.Formula != "" && len(c.Metrics) == 0:
		errs = append(errs, invalid("formula", "it needs a metric block for each of its names"))
	}
	return append(errs, c.checkMetrics()...)
}

func checkAggregator(name string) []*ArgumentError {
	if name != "" && !slices.Contains(datadog.Aggregators(), name) {
		return []*ArgumentError{invalid("aggregator", "%q is not one of %s", name, strings.Join(datadog.Aggregators(), ", "))}
	}
	return nil
}

func (c Datadog) checkMetrics() []*ArgumentError {
	var errs []*ArgumentError
	seen := map[string]bool{}
	for i, m := range c.Metrics {
		var own []*ArgumentError
		switch {
		case !metricName.MatchString(m.Name):
			own = append(own, invalid("name", "it must start with a letter and contain only letters, digits and underscores"))
		case seen[m.Name]:
			own = append(own, invalid("name", "%q is used twice", m.Name))
		}
		if strings.TrimSpace(m.Query) == "" {
			own = append(own, &ArgumentError{Argument: "query", Err: ErrMissing})
		}
		for _, err := range append(own, checkAggregator(m.Aggregator)...) {
			err.Block, err.Index = "metric", i
			errs = append(errs, err)
		}
		seen[m.Name] = true
	}
	return errs
}

// NewDatadog returns a Datadog gate, which keeps no connection open between evaluations. Wrong
// arguments are returned as joined *ArgumentError.
func NewDatadog(c Datadog, deps Dependencies) (rollout.Gate, error) {
	return filling[Datadog](c.fill).build(func(c Datadog) (rollout.Gate, error) { return newDatadog(c, deps) })
}

func newDatadog(c Datadog, deps Dependencies) (rollout.Gate, error) {
	sent, unset := c.read(deps.Lookup)
	apiKey, noAPIKey := c.apiKey().read(deps.Lookup)
	appKey, noAppKey := c.appKey().read(deps.Lookup)
	config, unread := c.config()
	if errs := slices.Concat(c.check(), unset, noAPIKey, noAppKey, unread); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	c = c.withDefaults()
	sent.Set(apiKeyHeader, apiKey)
	sent.Set(appKeyHeader, appKey)
	g := &datadogGate{Datadog: c, client: newClient(config), sent: sent, mask: c.newMask(sent)}
	g.query = datadog.Query{Version: c.APIVersion, Formula: c.Formula, Metrics: slices.Clone(c.Metrics)}
	if c.Formula == "" {
		g.query.Formula, g.query.Metrics = "query", []datadog.Metric{{Name: "query", Query: c.Query}}
	}
	for i := range g.query.Metrics {
		m := &g.query.Metrics[i]
		m.Aggregator = cmp.Or(m.Aggregator, c.Aggregator, "avg")
	}
	return g, nil
}

type datadogGate struct {
	Datadog
	query  datadog.Query // without its window
	client *http.Client
	sent   http.Header
	mask   mask
}
