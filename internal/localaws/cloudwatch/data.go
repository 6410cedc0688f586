package cloudwatch

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxQueries    = 500
	maxDatapoints = 100_800
	maxDimensions = 30
)

type dimension struct {
	Name, Value string
}

type metricRef struct {
	Namespace  string
	MetricName string
	Dimensions []dimension
}

type metricStat struct {
	Metric *metricRef
	Period *int
	Stat   string
	Unit   string `json:",omitempty"`
}

// dataQuery is a requested metric or expression.
type dataQuery struct {
	ID         string      `json:"Id"`
	AccountID  *string     `json:"AccountId,omitempty"`
	Expression *string     `json:",omitempty"`
	Label      *string     `json:",omitempty"`
	MetricStat *metricStat `json:",omitempty"`
	Period     *int        `json:",omitempty"`
	ReturnData *bool       `json:",omitempty"`
}

func (q dataQuery) returned() bool { return q.ReturnData == nil || *q.ReturnData }

type getMetricDataInput struct {
	StartTime, EndTime *wire.Stamp
	MetricDataQueries  []dataQuery
	MaxDatapoints      *int
	NextToken          *string
	ScanBy             string
}

type dataResult struct {
	ID         string `json:"Id"`
	Label      string
	Timestamps []wire.Stamp
	Values     []float64
	StatusCode string
}

type getMetricDataOutput struct {
	MetricDataResults []dataResult
	Messages          []dataMessage
	NextToken         *string `json:",omitempty"`
}

// dataMessage is the element type of a list that is always empty.
type dataMessage struct {
	Code, Value string
}

func getMetricData(c *call, in getMetricDataInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	computed, err := c.compute(in.MetricDataQueries, timeframe{region: c.region, from: in.StartTime.Unix(), to: in.EndTime.Unix(), at: c.now})
	if err != nil {
		return nil, err
	}
	var results []dataResult
	for _, q := range in.MetricDataQueries {
		if q.returned() {
			results = append(results, newDataResult(q, computed[q.ID], in.ScanBy != "TimestampAscending"))
		}
	}
	return in.page(results)
}

// check validates the input except for the queries.
func (in *getMetricDataInput) check() error {
	switch {
	case in.StartTime == nil:
		return wire.MissingParameter("startTime")
	case in.EndTime == nil:
		return wire.MissingParameter("endTime")
	case len(in.MetricDataQueries) == 0:
		return wire.MissingParameter("metricDataQueries")
	case !in.StartTime.Before(in.EndTime.Time):
		return wire.ValidationError("The parameter StartTime must be less than the parameter EndTime.")
	case in.MaxDatapoints != nil && (*in.MaxDatapoints < 1 || *in.MaxDatapoints > maxDatapoints):
		return wire.ValidationError("The value %d for parameter MaxDatapoints is not between 1 and %d.", *in.MaxDatapoints, maxDatapoints)
	}
	return wire.CheckEnum("scanBy", in.ScanBy, "TimestampDescending", "TimestampAscending")
}

func newDataResult(q dataQuery, values points, newestFirst bool) dataResult {
	out := dataResult{ID: q.ID, Label: q.label(), Timestamps: []wire.Stamp{}, Values: []float64{}, StatusCode: "Complete"}
	times := values.times()
	if newestFirst {
		slices.Reverse(times)
	}
	for _, at := range times {
		out.Timestamps = append(out.Timestamps, wire.StampOf(at))
		out.Values = append(out.Values, values[at])
	}
	return out
}

// label returns the label of the query, or the metric name, or the ID of the expression.
func (q dataQuery) label() string {
	switch {
	case q.Label != nil:
		return *q.Label
	case q.MetricStat != nil:
		return q.MetricStat.Metric.MetricName
	}
	return q.ID
}

// page returns at most as many data points as the call requests.
func (in *getMetricDataInput) page(results []dataResult) (any, error) {
	total := 0
	for _, r := range results {
		total += len(r.Values)
	}
	skip, err := readToken(in.NextToken, total)
	if err != nil {
		return nil, err
	}
	room := maxDatapoints
	if in.MaxDatapoints != nil {
		room = *in.MaxDatapoints
	}
	out := getMetricDataOutput{MetricDataResults: []dataResult{}, Messages: []dataMessage{}}
	if skip+room < total {
		out.NextToken = new(base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(skip + room))))
	}
	end := min(skip+room, total)
	first := 0 // the index of the first point of r
	for _, r := range results {
		if part, some := r.cut(skip-first, end-first); some || (len(r.Values) == 0 && skip == 0) {
			out.MetricDataResults = append(out.MetricDataResults, part)
		}
		first += len(r.Values)
	}
	return out, nil
}

// cut returns the points in [from, to) and reports whether there are any.
func (r dataResult) cut(from, to int) (dataResult, bool) {
	n := len(r.Values)
	low, high := max(from, 0), min(to, n)
	if low >= high {
		return r, false
	}
	r.Timestamps, r.Values = r.Timestamps[low:high], r.Values[low:high]
	if high < n {
		r.StatusCode = "PartialData"
	}
	return r, true
}

func readToken(token *string, most int) (int, error) {
	if token == nil {
		return 0, nil
	}
	raw, err := base64.URLEncoding.DecodeString(*token)
	if err == nil {
		var n int
		if n, err = strconv.Atoi(string(raw)); err == nil && n > 0 && n < most {
			return n, nil
		}
	}
	return 0, wire.BadRequest("InvalidNextToken", "The next token %s is not valid.", *token)
}

// idPattern matches valid query IDs.
func idPattern() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`) }
