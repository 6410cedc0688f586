package gate_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// wantMeasured compares the numbers of a verdict, without durations that were measured.
func wantMeasured(t *testing.T, v rollout.Verdict, status rollout.Status, want ...string) {
	t.Helper()
	var got []string
	for _, m := range v.Measured {
		text := fmt.Sprintf("%s|%s|%.4g %s|", m.Name, m.Entry, m.Value, m.Unit)
		if m.Name == "slowest response" {
			if !(m.Value > 0) {
				t.Errorf("the slowest response took %g s", m.Value)
			}
			text = m.Name + "||"
		}
		for _, limit := range []*float64{m.Min, m.Max} {
			if limit != nil {
				text += fmt.Sprintf("%.4g", *limit)
			}
			text += "|"
		}
		text += fmt.Sprint(m.Samples)
		if !m.From.IsZero() {
			text += "|" + m.To.Sub(m.From).String()
		}
		got = append(got, text)
	}
	if v.Status != status || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %s with %q, want %s with %q (%s)", v.Status, got, status, want, v.Detail)
	}
}

func TestMeasured_http(t *testing.T) {
	t.Parallel()
	url := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 2 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c := gate.HTTP{Request: gate.Request{URL: url}, Samples: 3}
	wantMeasured(t, evaluateHTTP(t.Context(), t, c), rollout.Fail, "failed requests||1 ||0|3", "slowest response||||3")
	c.MaxLatency, c.Samples = time.Minute, 1
	wantMeasured(t, evaluateHTTP(t.Context(), t, c), rollout.Pass, "failed requests||0 ||0|1", "slowest response|||60|1")
	c.URL = "http://127.0.0.1:1"
	wantMeasured(t, evaluateHTTP(t.Context(), t, c), rollout.Errored)
}

func TestMeasured_prometheus(t *testing.T) {
	t.Parallel()
	evaluate := func(response string) rollout.Verdict {
		url := serve(t, respond(http.StatusOK, response))
		return evaluatePrometheus(t.Context(), t, gate.Prometheus{Request: gate.Request{URL: url}, Query: "up", Min: new(1.0), Max: new(5.0)})
	}
	wantMeasured(t, evaluate(vector("4", "2.5")), rollout.Pass, "query result||4 |1|5|2")
	wantMeasured(t, evaluate(vector("4", "7", "8")), rollout.Fail, "query result||8 |1|5|3")
	wantMeasured(t, evaluate(vector()), rollout.Inconclusive)
}

func TestMeasured_datadog(t *testing.T) {
	t.Parallel()
	evaluate := func(values ...string) rollout.Verdict {
		url := serve(t, respond(http.StatusOK, scalarResponse(values...)))
		return evaluateDatadog(t.Context(), t, gate.Datadog{}, url)
	}
	wantMeasured(t, evaluate("4.5", "1"), rollout.Pass, "query result||4.5 ||5|2|30s")
	wantMeasured(t, evaluate("4.5", "9"), rollout.Fail, "query result||9 ||5|2|30s")
}

func TestMeasured_cloudWatch(t *testing.T) {
	t.Parallel()
	const series = "AWS/SQS Age Maximum QueueName=jobs 60"
	for status, values := range map[rollout.Status]map[int]float64{rollout.Pass: {2: 4, 3: 12.5}, rollout.Fail: {2: 4, 3: 31, 4: 99}} {
		f := &fakeCloudWatch{points: map[string]map[time.Time]float64{series: minutes(values)}}
		want := map[rollout.Status]string{rollout.Pass: "Age||12.5 ||30|2|5m0s", rollout.Fail: "Age||99 ||30|3|5m0s"}[status]
		wantMeasured(t, evaluateMetric(t, age(nil), f, time.Hour), status, want)
	}
	wantMeasured(t, evaluateMetric(t, age(nil), &fakeCloudWatch{}, time.Hour), rollout.Inconclusive)
}

func TestMeasured_targetMetrics(t *testing.T) {
	t.Parallel()
	in := rollout.GateInput{Step: 1, ChangedAt: noon.Add(-7 * time.Minute), Incoming: []traffic.Backend{backend("green")}, Live: []traffic.Backend{backend("blue")}}
	f := newMetricsFixture()
	f.minutes("green", 6, 2, withErrors(200, 4))
	f.minutes("blue", 6, 2, withErrors(2000, 10))
	c := gate.TargetMetrics{MaxErrorRate: new(1.0), WorseThanLiveBy: new(0.5), ErrorRatio: new(2.0)}
	wantMeasured(t, f.evaluateAt(t, c, in), rollout.Fail,
		"error rate|web|2 %||1|1000|6m0s", "error rate above live|web|1.5 points||0.5|1000|6m0s", "error rate compared with live|web|4 times||2|1000|6m0s")
	wantMeasured(t, newMetricsFixture().evaluateAt(t, c, in), rollout.Inconclusive)
}
