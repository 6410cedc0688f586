// Package datadog has the wire format of Datadog's metrics queries: version 1, which returns the
// points of time series, and version 2, which returns one value per group.
package datadog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Versions of the API.
const (
	V1 = "v1" // GET /api/v1/query
	V2 = "v2" // POST /api/v2/query/scalar
)

// Aggregators returns those of version 2, which make one value of the points in the window.
func Aggregators() []string {
	return []string{"avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"}
}

// Metric is a metrics query with its name in a formula.
type Metric struct{ Name, Query, Aggregator string }

// Query is what is asked about a window, From inclusive and To exclusive, in whole seconds.
type Query struct {
	Version  string
	From, To time.Time
	Metrics  []Metric // with V1, only the query of the first one counts
	Formula  string   // over the names of the metrics; V2 only
}

// Request returns the request to a server, whose URL has no /api.
func (q Query) Request(ctx context.Context, server string) (*http.Request, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	if q.Version == V1 {
		u = u.JoinPath("api", "v1", "query")
		values := u.Query()
		values.Set("from", strconv.FormatInt(q.From.Unix(), 10))
		values.Set("to", strconv.FormatInt(q.To.Unix(), 10))
		values.Set("query", q.Metrics[0].Query)
		u.RawQuery = values.Encode()
		return http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	}
	body, err := json.Marshal(q.scalar())
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("api", "v2", "query", "scalar").String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

// scalar returns the body of version 2.
func (q Query) scalar() any {
	type object = map[string]any
	var queries []object
	for _, m := range q.Metrics {
		queries = append(queries, object{"data_source": "metrics", "name": m.Name, "query": m.Query, "aggregator": m.Aggregator})
	}
	return object{"data": object{"type": "scalar_request", "attributes": object{
		"from": q.From.UnixMilli(), "to": q.To.UnixMilli(),
		"queries": queries, "formulas": []object{{"formula": q.Formula}},
	}}}
}

// Series is one time series of version 1, or one group of version 2, which has one point.
type Series struct {
	Tags   string // such as "env:prod,version:1.5.0"; empty: all
	Points []Point
	// Interval is how long a point stands for, as the server says. It may be too short for a
	// query that combines metrics of several intervals. 0 with version 2.
	Interval time.Duration
}

// Point is a value. Without one, it is NaN.
type Point struct {
	At    time.Time // the beginning of its interval; zero with version 2
	Value float64
}

// ErrQuery wraps the server's own error in a response of status 200.
var ErrQuery = errors.New("the query failed")

// Parse parses a response of status 200.
func Parse(version string, body []byte) ([]Series, error) {
	if version == V1 {
		return parseTimeseries(body)
	}
	return parseScalar(body)
}

// number is a JSON number, or null, which is NaN. A number that is too large is infinite.
type number float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = number(math.NaN())
		return nil
	}
	value, err := strconv.ParseFloat(strings.Trim(string(text), `"`), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%q is not a number", text)
	}
	*n = number(value)
	return nil
}

func parseTimeseries(body []byte) ([]Series, error) {
	var r struct {
		Status, Error string
		Series        []struct {
			Scope     string
			Interval  number
			Pointlist [][]number // pairs of milliseconds and value
		}
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	if r.Status != "ok" {
		return nil, fmt.Errorf("%w: %s", ErrQuery, cmp.Or(r.Error, fmt.Sprintf("status %q", r.Status)))
	}
	var all []Series
	for _, s := range r.Series {
		one := Series{Tags: strings.TrimPrefix(s.Scope, "*"), Interval: time.Duration(float64(s.Interval) * float64(time.Second))}
		for _, pair := range s.Pointlist {
			if len(pair) != 2 || math.IsNaN(float64(pair[0])) {
				return nil, errors.New("a point is not a time and a value")
			}
			one.Points = append(one.Points, Point{At: time.UnixMilli(int64(pair[0])), Value: float64(pair[1])})
		}
		all = append(all, one)
	}
	return all, nil
}

// column is a column of a scalar response. Those of the type "group" have the tags of each row,
// the others its numbers.
type column struct {
	Name, Type string
	Values     []json.RawMessage
}

func parseScalar(body []byte) ([]Series, error) {
	var r struct {
		Data *struct {
			Attributes struct{ Columns []column }
		}
		Errors json.RawMessage
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	if text := errorText(r.Errors); text != "" {
		return nil, fmt.Errorf("%w: %s", ErrQuery, text)
	}
	if r.Data == nil {
		return nil, errors.New("it has no data")
	}
	var all []Series
	for _, c := range r.Data.Attributes.Columns {
		if c.Type == "group" {
			continue
		}
		for row, text := range c.Values {
			var n number
			if err := json.Unmarshal(text, &n); err != nil {
				return nil, err
			}
			all = append(all, Series{Tags: tagsOf(r.Data.Attributes.Columns, row), Points: []Point{{Value: float64(n)}}})
		}
	}
	return all, nil
}

// tagsOf returns the tags of a row.
func tagsOf(columns []column, row int) string {
	var tags []string
	for _, c := range columns {
		var values []string
		if c.Type != "group" || row >= len(c.Values) || json.Unmarshal(c.Values[row], &values) != nil {
			continue
		}
		for _, v := range values {
			tags = append(tags, c.Name+":"+v)
		}
	}
	return strings.Join(tags, ",")
}

// ErrorText returns what a response of another status than 200 says; empty: it has not the form of
// an error of the API.
func ErrorText(body []byte) string {
	var r struct{ Errors json.RawMessage }
	if json.Unmarshal(body, &r) != nil {
		return ""
	}
	return errorText(r.Errors)
}

// errorText returns the text of "errors", which is a list of strings or a string.
func errorText(text json.RawMessage) string {
	var list []string
	if json.Unmarshal(text, &list) == nil {
		return strings.Join(list, "; ")
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		return one
	}
	return strings.TrimSpace(string(text))
}
