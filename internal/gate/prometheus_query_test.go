package gate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// prometheusServer answers every query with a result, and knows metrics by name.
type prometheusServer struct {
	result string
	known  []string
	status int // of questions about names; 0: 200

	mu    sync.Mutex
	calls []string
}

func (s *prometheusServer) handle(_ int, w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path+" "+r.Form.Get("query")+r.Form.Get("match[]"))
	s.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/label/__name__/values") {
		_, _ = w.Write([]byte(s.result))
		return
	}
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	names := slices.DeleteFunc(slices.Clone(s.known), func(name string) bool { return r.Form.Get("match[]") != fmt.Sprintf(`{__name__=%q}`, name) })
	_, _ = fmt.Fprintf(w, `{"status":"success","data":["%s"]}`, strings.Join(names, `","`))
}

// A preflight says what the query can never measure. Nothing of it blocks the shift: a metric may
// appear with the first request to the new version.
func TestPrometheus_preflightAdvises(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		server      *prometheusServer
		c           gate.Prometheus
		advises     bool
	}{
		{"a known metric", "sum(rate(errors_total[1m]))", &prometheusServer{known: []string{"errors_total"}}, gate.Prometheus{}, false},
		{"a misspelled one", "sum(rate(erors_total[1m])) / sum(rate(all_total[1m]))", &prometheusServer{known: []string{"all_total"}}, gate.Prometheus{}, true},
		{"by its label", `sum(rate({__name__="erors_total",job="a"}[1m]))`, &prometheusServer{}, gate.Prometheus{}, true},
		{"by a pattern", `sum(rate({__name__=~"err.*"}[1m]))`, &prometheusServer{}, gate.Prometheus{}, false},
		{"names that are no metrics", `sum by (erors) (errors_total{code="oops"} offset 1m) / ignoring(erors) group_left(oops) all_total`,
			&prometheusServer{known: []string{"errors_total", "all_total"}}, gate.Prometheus{}, false},
		{"a server that does not know", "erors_total", &prometheusServer{status: 404}, gate.Prometheus{}, false},
		{"only a constant", "vector(1)", &prometheusServer{}, gate.Prometheus{}, false},
		{"a comparison without a result", "errors_total > 5", &prometheusServer{result: vector(), known: []string{"errors_total"}}, gate.Prometheus{}, true},
		{"a comparison with a result", "errors_total > 5", &prometheusServer{known: []string{"errors_total"}}, gate.Prometheus{}, false},
		{"a comparison whose lack is known", "errors_total > 5", &prometheusServer{result: vector(), known: []string{"errors_total"}}, gate.Prometheus{OnNoData: "pass"}, false},
		{"empty without a comparison", "errors_total", &prometheusServer{result: vector(), known: []string{"errors_total"}}, gate.Prometheus{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.server.result == "" {
				tt.server.result = vector("6")
			}
			tt.c.Query, tt.c.Max, tt.c.URL = tt.query, new(5.0), serve(t, tt.server.handle)
			g := mustBuild(t)(gate.NewPrometheus(tt.c, gate.Dependencies{Lookup: lookupIn(nil)}))
			v := preflight(t, g, canaryInput())
			if v.Status != rollout.Pass || (v.Advice != "") != tt.advises {
				t.Errorf("got %+v, asked %q", v, tt.server.calls)
			}
			golden.Record(t, v.Advice+"\n")
		})
	}
}

// A proxy may allow only GET.
func TestPrometheus_method(t *testing.T) {
	for method, want := range map[string]string{
		"":     "POST /api/v1/query up{a=\"b c\"}",
		"POST": "POST /api/v1/query up{a=\"b c\"}",
		"GET":  "GET /api/v1/query up{a=\"b c\"}",
	} {
		s := &prometheusServer{result: vector("1")}
		c := gate.Prometheus{Request: gate.Request{URL: serve(t, s.handle)}, Method: method, Query: `up{a="b c"}`}
		if v := evaluatePrometheus(t.Context(), t, c); v.Status != rollout.Pass || !slices.Equal(s.calls, []string{want}) {
			t.Errorf("method %q: got %+v, %q", method, v, s.calls)
		}
	}
}
