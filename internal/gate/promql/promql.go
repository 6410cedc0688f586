// Package promql is what a PromQL query shows without its server.
package promql

import (
	"fmt"
	"slices"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/common/model"
)

// Query is a parsed query. The zero value shows nothing.
type Query struct {
	Metrics    []string // names of the metrics that it reads, sorted
	Comparison string   // a comparison that removes series, such as "> 0.05"; empty: there is none
}

// Parse parses a query as far as that is possible here: the server decides what is valid.
func Parse(query string) Query {
	expression, err := metricsql.Parse(query)
	if err != nil {
		return Query{}
	}
	var parsed Query
	metricsql.VisitAll(expression, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			parsed.Metrics = append(parsed.Metrics, metricNames(e)...)
		case *metricsql.BinaryOpExpr:
			if parsed.Comparison == "" && !e.Bool && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, e.Op) {
				parsed.Comparison = e.Op + " ..."
				if limit, is := e.Right.(*metricsql.NumberExpr); is {
					parsed.Comparison = e.Op + " " + string(limit.AppendString(nil))
				}
			}
		}
	})
	slices.Sort(parsed.Metrics)
	parsed.Metrics = slices.Compact(parsed.Metrics)
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

// EmptyHint explains an empty result.
func (p Query) EmptyHint() string {
	if p.Comparison == "" {
		return "; if nothing is a good result, set on_no_data or append " + `"or vector(0)"` + " to the query"
	}
	return fmt.Sprintf("; the comparison %q returns only series for which it is true, and a good version may have none: compare with min and max instead, append %q to the query, or set on_no_data",
		"... "+p.Comparison, "or vector(0)")
}
