package gate_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// shop is a metric of two versions, of which 1.5.0 got better some time ago.
func shop(betterFor time.Duration) *datadogServer {
	better := time.Now().Add(-betterFor)
	series := func(metric, version, host string, value func(time.Time) float64) datadogSeries {
		return datadogSeries{metric: metric, interval: 10 * time.Second, value: value, tags: map[string]string{"env": "prod", "version": version, "host": host}}
	}
	constant := func(v float64) func(time.Time) float64 { return func(time.Time) float64 { return v } }
	return &datadogServer{series: []datadogSeries{
		series("shop.errors", "1.4.0", "a", constant(1)),
		series("shop.errors", "1.5.0", "b", func(at time.Time) float64 {
			if at.Before(better) {
				return 50
			}
			return 2
		}),
		series("shop.hits", "1.4.0", "a", constant(100)),
		series("shop.hits", "1.5.0", "b", constant(100)),
		series("shop.idle", "1.5.0", "b", constant(math.NaN())),
	}}
}

// changed is a release of version 1.5.0 whose weights were changed some time ago.
func changed(ago time.Duration) rollout.GateInput {
	in := filledInput()
	in.ChangedAt = time.Now().Add(-ago)
	return in
}

// The window begins at the last weight change, or at the end of initial_delay, and is at most
// lookback long.
func TestDatadog_windowBeginsAtTheChange(t *testing.T) {
	t.Parallel()
	for _, version := range []string{datadog.V1, datadog.V2} {
		for _, tt := range []struct {
			name        string
			ago, delay  time.Duration // of the change
			lookback    time.Duration
			want        rollout.Status
			fromChange  bool
			windowIsMax bool
		}{
			{"the change came before it got better", time.Hour, 0, 2 * time.Hour, rollout.Fail, true, false},
			{"the change came after it got better", 20 * time.Minute, 0, 2 * time.Hour, rollout.Pass, true, false},
			{"initial_delay ended after it got better", time.Hour, 40 * time.Minute, 2 * time.Hour, rollout.Pass, true, false},
			{"lookback is shorter", time.Hour, 0, 10 * time.Minute, rollout.Pass, false, true},
		} {
			s := shop(30 * time.Minute)
			url := serve(t, s.handle)
			c := gate.Datadog{APIVersion: version, Query: "avg:shop.errors{version:1.5.0}", Lookback: tt.lookback, Lag: time.Minute}
			in := changed(tt.ago)
			in.DataFrom = in.ChangedAt.Add(tt.delay)
			now := time.Now()
			v := mustBuild(t)(gate.NewDatadog(withDatadog(c, url), datadogDeps())).Evaluate(t.Context(), in)
			if v.Status != tt.want {
				t.Errorf("%s: got %+v", tt.name, v)
			}
			calls := s.calls()
			if len(calls) != 1 {
				t.Fatalf("%s: got %d calls", tt.name, len(calls))
			}
			call := calls[0]
			if begin := in.Since().Add(time.Second - 1).Truncate(time.Second); tt.fromChange && !call.from.Equal(begin) {
				t.Errorf("%s: the window begins at %s, the change was at %s", tt.name, call.from, in.Since())
			}
			if tt.windowIsMax && call.to.Sub(call.from) != tt.lookback {
				t.Errorf("%s: the window is %s", tt.name, call.to.Sub(call.from))
			}
			if lag := time.Until(call.to) + time.Minute; lag > 0 || call.to.Before(now.Add(-time.Minute-time.Second)) {
				t.Errorf("%s: the window ends at %s, asked at %s", tt.name, call.to, now)
			}
		}
	}
}

// A lookback that is not in whole seconds is asked for, too.
func TestDatadog_fractionOfASecond(t *testing.T) {
	t.Parallel()
	s := shop(0)
	c := gate.Datadog{Query: "avg:shop.hits{version:1.5.0}", Min: new(100.0), Lookback: 10500 * time.Millisecond, Lag: 1500 * time.Millisecond}
	g := mustBuild(t)(gate.NewDatadog(withDatadog(c, serve(t, s.handle)), datadogDeps()))
	if v := g.Evaluate(t.Context(), changed(time.Hour)); v.Status != rollout.Pass || !strings.Contains(v.Detail, "1 value over 10s") {
		t.Errorf("got %+v", v)
	}
}

// Until there is enough data from after the change, nothing is asked: a short window may have no
// point although nothing is wrong, which would fail with on_no_data = "fail".
func TestDatadog_waitsForTheWindow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lookback, lag, ago, delay time.Duration
	}{
		{5 * time.Minute, time.Minute, 0, 0},
		{5 * time.Minute, time.Minute, 119 * time.Second, 0},
		{20 * time.Second, 30 * time.Second, 40 * time.Second, 0},
		{5 * time.Minute, time.Minute, 3 * time.Minute, 90 * time.Second},
	} {
		var text string
		synctest.Test(t, func(t *testing.T) {
			c := withDatadog(gate.Datadog{Lookback: tt.lookback, Lag: tt.lag, OnNoData: "fail"}, "http://127.0.0.1:1")
			in := changed(tt.ago)
			in.DataFrom = in.ChangedAt.Add(tt.delay)
			v := mustBuild(t)(gate.NewDatadog(c, datadogDeps())).Evaluate(t.Context(), in)
			if v.Status != rollout.Inconclusive {
				t.Errorf("got %+v", v)
			}
			text = fmt.Sprintf("%s (first data after %s)", v.Detail, c.FirstData())
		})
		golden.Record(t, text)
	}
}

func TestDatadog_measuresEachVersion(t *testing.T) {
	t.Parallel()
	s := shop(0) // 1.5.0 is bad until now
	url := serve(t, s.handle)
	for _, tt := range []struct {
		name string
		c    gate.Datadog
		want rollout.Status
	}{
		{"another environment", gate.Datadog{Query: "avg:shop.errors{env:{{incoming.environment}},version:{{incoming.version}}}"}, rollout.Inconclusive},
		{"the new version", gate.Datadog{Query: "avg:shop.errors{version:{{incoming.version}}}.as_count()"}, rollout.Fail},
		{"the live version", gate.Datadog{Query: "avg:shop.errors{version:{{live.version}}}.as_count()"}, rollout.Pass},
		{"version 1 of the API", gate.Datadog{APIVersion: datadog.V1, Query: "avg:shop.errors{version:{{incoming.version}}}"}, rollout.Fail},
		{"each host", gate.Datadog{Query: "avg:shop.errors{env:prod} by {host}"}, rollout.Fail},
		{"a formula", gate.Datadog{Formula: "100 * bad / (bad + good)", Max: new(40.0), Metrics: []datadog.Metric{{Name: "bad", Query: "sum:shop.errors{version:{{incoming.version}}}"}, {Name: "good", Query: "sum:shop.hits{version:{{incoming.version}}}", Aggregator: "last"}}}, rollout.Pass},
		{"a formula above", gate.Datadog{Formula: "bad / good", Max: new(0.4), Metrics: []datadog.Metric{{Name: "bad", Query: "sum:shop.errors{version:{{incoming.version}}}"}, {Name: "good", Query: "sum:shop.hits{version:{{incoming.version}}}"}}}, rollout.Fail},
		{"the sum of the window", gate.Datadog{Aggregator: "sum", Max: new(30.0), Query: "sum:shop.errors{version:1.4.0}"}, rollout.Fail},
		{"without points", gate.Datadog{Query: "sum:shop.idle{*}"}, rollout.Inconclusive},
		{"a query that is no query", gate.Datadog{Query: "sum:shop.errors"}, rollout.Errored},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.Lookback = 10 * time.Minute
			g := mustBuild(t)(gate.NewDatadog(withDatadog(tt.c, url), datadogDeps()))
			v := g.Evaluate(t.Context(), changed(time.Hour))
			if v.Status != tt.want {
				t.Errorf("got %+v", v)
			}
		})
	}
}

// A value is written as Datadog stores it in a tag, and cannot change the query.
func TestFilled_datadog(t *testing.T) {
	t.Parallel()
	s := shop(0)
	url := serve(t, s.handle)
	c := gate.Datadog{Formula: "a", Metrics: []datadog.Metric{{Name: "a", Query: "avg:shop.errors{version:{{incoming.version}},env:{{incoming.environment}}}"}}}
	c.Headers = map[string]string{"X-Environment": "{{incoming.environment}}"}
	g := mustBuild(t)(gate.NewDatadog(withDatadog(c, url), datadogDeps()))
	in := changed(time.Hour)
	in.Incoming[0].Version = "2.0.0+Build 7},x:{y"
	g.Evaluate(t.Context(), in)
	if got := s.calls(); len(got) != 1 || got[0].queries != "avg:shop.errors{version:2.0.0_build_7__x:_y,env:green}" {
		t.Errorf("got %+v", got)
	}
	if c.Metrics[0].Query != "avg:shop.errors{version:{{incoming.version}},env:{{incoming.environment}}}" {
		t.Error("the arguments were changed")
	}
	in.Live = nil
	live := mustBuild(t)(gate.NewDatadog(withDatadog(gate.Datadog{Query: "avg:shop.errors{version:{{live.version}}}"}, url), datadogDeps()))
	if v := live.Evaluate(t.Context(), in); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
	if at := (gate.Datadog{Metrics: []datadog.Metric{{}, {Query: "{{live.version}}"}}}).NeedsLive(); at == nil || at.Block != "metric" || at.Index != 1 {
		t.Errorf("got %v", at)
	}
}

// A preflight runs the query once. What it measures before the shift does not matter.
func TestDatadog_preflight(t *testing.T) {
	t.Parallel()
	for _, version := range []string{datadog.V1, datadog.V2} {
		s := shop(0)
		url := serve(t, s.handle)
		for query, want := range map[string]rollout.Status{
			"avg:shop.errors{version:{{incoming.version}}}": rollout.Pass, // far too many
			"avg:shop.unknown{*}":                           rollout.Pass,
			"avg:shop.errors":                               rollout.Errored,
		} {
			g := mustBuild(t)(gate.NewDatadog(withDatadog(gate.Datadog{APIVersion: version, Query: query, OnNoData: "fail"}, url), datadogDeps()))
			if v := preflight(t, g, changed(0)); v.Status != want || v.RetryAfter != 0 {
				t.Errorf("%s of %s: got %+v", query, version, v)
			}
		}
		if calls := s.calls(); len(calls) != 2 {
			t.Errorf("got %+v", calls)
		}
		c := withDatadog(gate.Datadog{APIVersion: version}, url)
		c.AppKeyEnv = "OTHER"
		if v := preflight(t, mustBuild(t)(gate.NewDatadog(c, datadogDeps())), changed(0)); v.Status != rollout.Errored || !strings.Contains(v.Detail, "status 403. Response: Forbidden") {
			t.Errorf("got %+v", v)
		}
	}
}

func TestDatadog_doesNotForwardItsKeys(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) { t.Errorf("got a request with %v", r.Header) })
	for _, status := range []int{301, 302, 307, 308} {
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere+"/"+r.Header.Get("DD-API-KEY")+"?"+r.Header.Get("DD-APPLICATION-KEY"), status)
		})
		v := evaluateDatadog(t.Context(), t, gate.Datadog{}, url)
		if v.Status != rollout.Errored || !v.Final || !strings.HasSuffix(v.Detail, fmt.Sprintf("status %d to %s/*** (redirects are not followed)", status, elsewhere)) {
			t.Errorf("got %+v", v)
		}
	}
}
