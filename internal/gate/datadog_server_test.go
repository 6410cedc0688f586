package gate_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

// datadogServer is a stand-in for the API of Datadog, written from its reference and from responses
// that its clients recorded. It knows the queries that the tests use and rejects others, as Datadog
// rejects what it cannot parse.
type datadogServer struct {
	series []datadogSeries

	mu    sync.Mutex
	asked []datadogCall
}

// datadogSeries is a metric with its tags.
type datadogSeries struct {
	metric   string
	tags     map[string]string
	interval time.Duration
	value    func(at time.Time) float64 // NaN: no point
}

// datadogCall is what a request asked for.
type datadogCall struct {
	method, path, queries string // the queries are joined by semicolons
	from, to              time.Time
}

// datadogDeps has the keys that the stand-in accepts.
func datadogDeps() gate.Dependencies {
	return gate.Dependencies{Lookup: lookupIn(map[string]string{"DD_API_KEY": "api-key-0123456789abcdef0123456789", "DD_APP_KEY": "app-key-0123456789abcdef0123456789", "OTHER": "another-key", "LINES": "a\nb", "EMPTY": "", "TENANT": "s3cret-tenant"})}
}

func (s *datadogServer) calls() []datadogCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// handle answers as the API does.
func (s *datadogServer) handle(_ int, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("DD-API-KEY") != "api-key-0123456789abcdef0123456789" || r.Header.Get("DD-APPLICATION-KEY") != "app-key-0123456789abcdef0123456789" {
		reject(w, http.StatusForbidden, "Forbidden")
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "GET /api/v1/query":
		s.timeseries(w, r)
	case "POST /api/v2/query/scalar":
		s.scalar(w, r)
	default:
		reject(w, http.StatusNotFound, "Not found")
	}
}

func reject(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	respondJSON(w, map[string]any{"errors": []string{text}})
}

func respondJSON(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (s *datadogServer) record(c datadogCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, c)
}

// timeseries answers a query of version 1: the points of each group, also the one whose interval
// is not over.
func (s *datadogServer) timeseries(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, err := strconv.ParseInt(query.Get("from"), 10, 64)
	to, err2 := strconv.ParseInt(query.Get("to"), 10, 64)
	parsed, ok := parseDatadog(query.Get("query"))
	if err != nil || err2 != nil || from >= to || !ok {
		reject(w, http.StatusBadRequest, "Error parsing query")
		return
	}
	call := datadogCall{r.Method, r.URL.Path, query.Get("query"), time.Unix(from, 0), time.Unix(to, 0)}
	s.record(call)
	all := []any{}
	for scope, group := range s.groups(parsed) {
		points := [][]any{}
		for _, p := range parsed.points(group, call) {
			points = append(points, []any{float64(p.at.UnixMilli()), orNull(p.value)})
		}
		all = append(all, map[string]any{
			"metric": parsed.metric, "scope": scope, "interval": group[0].interval.Seconds(), "length": len(points), "pointlist": points,
			"tag_set": []string{}, "aggr": parsed.space, "unit": nil, "query_index": 0, "expression": query.Get("query"),
		})
	}
	respondJSON(w, map[string]any{"status": "ok", "resp_version": 1, "res_type": "time_series", "series": all, "query": query.Get("query"), "message": "", "from_date": from * 1000, "to_date": to * 1000})
}

// scalar answers a query of version 2: one value per group.
func (s *datadogServer) scalar(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct {
			Type       string
			Attributes struct {
				From, To int64
				Queries  []struct {
					DataSource              string `json:"data_source"`
					Name, Query, Aggregator string
				}
				Formulas []struct{ Formula string }
			}
		}
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	a := body.Data.Attributes
	if err != nil || body.Data.Type != "scalar_request" || r.Header.Get("Content-Type") != "application/json" || a.From >= a.To || len(a.Formulas) != 1 {
		reject(w, http.StatusBadRequest, "Invalid request")
		return
	}
	call := datadogCall{method: r.Method, path: r.URL.Path, from: time.UnixMilli(a.From), to: time.UnixMilli(a.To)}
	values := map[string]map[string]float64{} // by group and name
	for _, q := range a.Queries {
		parsed, ok := parseDatadog(q.Query)
		if !ok || q.DataSource != "metrics" {
			reject(w, http.StatusBadRequest, "Error parsing query: "+q.Query)
			return
		}
		call.queries += ";" + q.Query
		for scope, group := range s.groups(parsed) {
			if values[scope] == nil {
				values[scope] = map[string]float64{}
			}
			values[scope][q.Name] = aggregate(q.Aggregator, parsed.points(group, call))
		}
	}
	call.queries = strings.TrimPrefix(call.queries, ";")
	s.record(call)
	respondJSON(w, map[string]any{"data": map[string]any{"type": "scalar_response", "attributes": map[string]any{"columns": columns(a.Formulas[0].Formula, values)}}})
}

// columns returns those of a formula: the tags of each group, and its value.
func columns(formula string, values map[string]map[string]float64) []any {
	expression, err := parser.ParseExpr(formula)
	if err != nil {
		return nil
	}
	tags := map[string][][]string{}
	numbers := []any{}
	for scope, of := range values {
		numbers = append(numbers, orNull(calculate(expression, of)))
		for _, tag := range strings.Split(scope, ",") {
			if key, value, found := strings.Cut(tag, ":"); found {
				tags[key] = append(tags[key], []string{value})
			}
		}
	}
	all := []any{}
	for key, values := range tags {
		all = append(all, map[string]any{"name": key, "type": "group", "values": values})
	}
	return append(all, map[string]any{"name": formula, "type": "number", "values": numbers, "meta": map[string]any{"unit": nil}})
}

// calculate evaluates a formula. Without a value, or divided by zero, it is NaN.
func calculate(e ast.Expr, values map[string]float64) float64 {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return calculate(e.X, values)
	case *ast.BasicLit:
		n, _ := strconv.ParseFloat(e.Value, 64)
		return n
	case *ast.Ident:
		if v, ok := values[e.Name]; ok {
			return v
		}
	case *ast.BinaryExpr:
		x, y := calculate(e.X, values), calculate(e.Y, values)
		switch e.Op.String() {
		case "+":
			return x + y
		case "-":
			return x - y
		case "*":
			return x * y
		case "/":
			if y != 0 {
				return x / y
			}
		}
	}
	return math.NaN()
}

func orNull(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// datadogQuery is a parsed query, such as "sum:hits{env:prod} by {host}.as_count()".
type datadogQuery struct {
	space, metric string
	scope, by     []string
}

var datadogQueryPattern = regexp.MustCompile(`^(avg|sum|min|max):([a-z][a-z0-9_.]*)\{(\*|[a-z0-9_:./,-]+)\}(?: by \{([a-z,]+)\})?(?:\.as_(?:rate|count)\(\))?$`)

func parseDatadog(text string) (datadogQuery, bool) {
	found := datadogQueryPattern.FindStringSubmatch(text)
	if found == nil {
		return datadogQuery{}, false
	}
	return datadogQuery{found[1], found[2], strings.Split(strings.TrimPrefix(found[3], "*"), ","), strings.Split(found[4], ",")}, true
}

// groups returns the series of each group, by its scope.
func (s *datadogServer) groups(q datadogQuery) map[string][]datadogSeries {
	all := map[string][]datadogSeries{}
	for _, one := range s.series {
		matches := one.metric == q.metric
		for _, tag := range q.scope {
			key, value, _ := strings.Cut(tag, ":")
			matches = matches && (tag == "" || one.tags[key] == value)
		}
		if !matches {
			continue
		}
		var scope []string
		for _, key := range q.by {
			if key != "" {
				scope = append(scope, key+":"+one.tags[key])
			}
		}
		at := strings.Join(scope, ",")
		if at == "" {
			at = "*"
		}
		all[at] = append(all[at], one)
	}
	return all
}

type datadogPoint struct {
	at    time.Time
	value float64
}

// points returns those that begin in the window, aligned to the interval.
func (q datadogQuery) points(group []datadogSeries, c datadogCall) []datadogPoint {
	var all []datadogPoint
	interval := group[0].interval
	for at := c.from.Add(interval - 1).Truncate(interval); at.Before(c.to); at = at.Add(interval) {
		var values []datadogPoint
		for _, one := range group {
			values = append(values, datadogPoint{at, one.value(at)})
		}
		all = append(all, datadogPoint{at, aggregate(q.space, values)})
	}
	return all
}

// aggregate returns one number of the points that have a value.
func aggregate(how string, points []datadogPoint) float64 {
	var values []float64
	total := 0.0
	for _, p := range points {
		if !math.IsNaN(p.value) {
			values, total = append(values, p.value), total+p.value
		}
	}
	if values == nil {
		return math.NaN()
	}
	switch how {
	case "sum":
		return total
	case "min":
		return slices.Min(values)
	case "max":
		return slices.Max(values)
	case "last":
		return values[len(values)-1]
	default:
		return total / float64(len(values))
	}
}

// The stand-in is what the other tests rely on.
func TestDatadogServer_followsTheReference(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"avg:system.cpu.user{*}": true, "sum:hits{env:prod,version:1.5.0} by {host}.as_count()": true,
		"system.cpu.user{*}": false, "avg:system.cpu.user": false, "avg:up{a:b} or 1": false, "avg:up{a:b,c:{}}": false,
	} {
		if _, ok := parseDatadog(text); ok != want {
			t.Errorf("%s: got %v", text, ok)
		}
	}
	expression, err := parser.ParseExpr("100 * a / (a + b)")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(calculate(expression, map[string]float64{"a": 1, "b": 3}), calculate(expression, map[string]float64{"a": 0, "b": 0}), calculate(expression, nil)); got != "25 NaN NaN" {
		t.Errorf("got %s", got)
	}
}
