package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/common/model"
)

// maxMetricNames is how many metric names of a query the preflight looks up.
const maxMetricNames = 10

// parsedQuery is what a query shows without its server. The zero value shows nothing.
type parsedQuery struct {
	metrics    []string // names of the metrics that it reads, sorted
	comparison string   // a comparison that removes series, such as "> 0.05"; empty: there is none
}

// parseQuery parses a query as far as that is possible here: the server decides what is valid.
func parseQuery(query string) parsedQuery {
	expression, err := metricsql.Parse(query)
	if err != nil {
		return parsedQuery{}
	}
	var parsed parsedQuery
	metricsql.VisitAll(expression, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			parsed.metrics = append(parsed.metrics, metricNames(e)...)
		case *metricsql.BinaryOpExpr:
			if parsed.comparison == "" && !e.Bool && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, e.Op) {
				parsed.comparison = e.Op + " ..."
				if limit, is := e.Right.(*metricsql.NumberExpr); is {
					parsed.comparison = e.Op + " " + string(limit.AppendString(nil))
				}
			}
		}
	})
	slices.Sort(parsed.metrics)
	parsed.metrics = slices.Compact(parsed.metrics)
	return parsed
}

func metricNames(e *metricsql.MetricExpr) []string {
	var names []string
	for _, filters := range e.LabelFilterss {
		for _, f := range filters {
			if f.Label == model.MetricNameLabel && f.Value != "" && !f.IsNegative && !f.IsRegexp {
				names = append(names, f.Value)
			}
		}
	}
	return names
}

// emptyHint explains an empty result.
func (p parsedQuery) emptyHint() string {
	if p.comparison == "" {
		return "; if nothing is a good result, set on_no_data or append " + `"or vector(0)"` + " to the query"
	}
	return fmt.Sprintf("; the comparison %q returns only series for which it is true, and a good version may have none: compare with min and max instead, append %q to the query, or set on_no_data",
		"... "+p.comparison, "or vector(0)")
}

// unknownMetrics returns the names of metrics that the server has never seen. A server that does
// not answer the question is not asked further.
func (g *prometheusGate) unknownMetrics(ctx context.Context) []string {
	var unknown []string
	for _, name := range g.parsed.metrics[:min(len(g.parsed.metrics), maxMetricNames)] {
		selector := fmt.Sprintf("{%s=%q}", model.MetricNameLabel, name)
		values, warnings, err := g.api.LabelValues(ctx, model.MetricNameLabel, []string{selector}, time.Time{}, time.Time{})
		if err != nil || len(partial(warnings)) > 0 {
			return nil
		}
		if !slices.Contains(values, model.LabelValue(name)) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// advice returns what is odd about the query although the server accepts it; empty: nothing.
func (g *prometheusGate) advice(ctx context.Context, empty bool) string {
	var all []string
	if unknown := g.unknownMetrics(ctx); unknown != nil {
		all = append(all, fmt.Sprintf("the server has no series of %s: check the name in the query", g.mask.hide(strings.Join(unknown, ", "))))
	}
	if empty && g.parsed.comparison != "" && g.OnNoData == "" {
		all = append(all, "the result is empty"+g.mask.hide(g.parsed.emptyHint()))
	}
	return strings.Join(all, ". ")
}
