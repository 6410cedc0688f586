package localaws_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

func (b *watchBench) wantData(want map[string]result, queries ...cwtypes.MetricDataQuery) {
	b.t.Helper()
	got := b.data(queries...)
	if !reflect.DeepEqual(got, want) {
		b.t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestMetricData_wholeAnswer(t *testing.T) {
	b := newWatchBench(t)
	b.put("Errors", 0, 4, 6, 2)
	in := &cw.GetMetricDataInput{
		StartTime: aws.Time(noon().Add(30 * time.Second)), EndTime: aws.Time(noon().Add(2 * time.Minute)), // from the minute, to before the third
		MetricDataQueries: []cwtypes.MetricDataQuery{stat("m", "App:Errors", "Sum"), expression("half", "m/2"), stat("none", "App:Nothing", "Sum"), hidden(stat("h", "App:Errors", "Sum"))},
	}
	in.MetricDataQueries[1].Label = aws.String("half of it")
	out, err := b.cw.GetMetricData(b.ctx(), in)
	b.must(err)
	withoutMetadata(&out.ResultMetadata)
	inUTC(out)
	times := []time.Time{noon().Add(time.Minute), noon()}
	want := &cw.GetMetricDataOutput{Messages: []cwtypes.MessageData{}, MetricDataResults: []cwtypes.MetricDataResult{
		{Id: aws.String("m"), Label: aws.String("Errors"), StatusCode: cwtypes.StatusCodeComplete, Timestamps: times, Values: []float64{6, 4}},
		{Id: aws.String("half"), Label: aws.String("half of it"), StatusCode: cwtypes.StatusCodeComplete, Timestamps: times, Values: []float64{3, 2}},
		{Id: aws.String("none"), Label: aws.String("Nothing"), StatusCode: cwtypes.StatusCodeComplete, Timestamps: []time.Time{}, Values: []float64{}},
	}}
	if !reflect.DeepEqual(out, want) {
		t.Errorf("got\n%s\nwant\n%s", pretty(out), pretty(want))
	}
}

func TestMetricData_pages(t *testing.T) {
	b := newWatchBench(t)
	b.put("A", 0, 1, 2, 3)
	b.put("B", 0, 4, 5)
	in := &cw.GetMetricDataInput{
		StartTime: aws.Time(noon()), EndTime: aws.Time(noon().Add(time.Hour)), MaxDatapoints: aws.Int32(2), ScanBy: cwtypes.ScanByTimestampAscending,
		MetricDataQueries: []cwtypes.MetricDataQuery{stat("none", "App:None", "Sum"), stat("a", "App:A", "Sum"), stat("b", "App:B", "Sum")},
	}
	type part struct {
		id     string
		status cwtypes.StatusCode
		values []float64
	}
	var got [][]part
	pages := cw.NewGetMetricDataPaginator(b.cw, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.ctx())
		b.must(err)
		var parts []part
		for _, r := range page.MetricDataResults {
			parts = append(parts, part{*r.Id, r.StatusCode, r.Values})
		}
		got = append(got, parts)
	}
	want := [][]part{
		{{"none", "Complete", []float64{}}, {"a", "PartialData", []float64{1, 2}}},
		{{"a", "Complete", []float64{3}}, {"b", "PartialData", []float64{4}}},
		{{"b", "Complete", []float64{5}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	in.NextToken = aws.String("x")
	_, err := b.cw.GetMetricData(b.ctx(), in)
	if _, ok := errors.AsType[*cwtypes.InvalidNextToken](err); !ok {
		t.Errorf("got %T %v", err, err)
	}
}

func TestMetricData_statistics(t *testing.T) {
	b := newWatchBench(t)
	_, err := b.cw.PutMetricData(b.ctx(), &cw.PutMetricDataInput{Namespace: aws.String("App"), MetricData: []cwtypes.MetricDatum{
		{MetricName: aws.String("Took"), Unit: cwtypes.StandardUnitMilliseconds, Values: []float64{10, 20, 1000}, Counts: []float64{50, 49, 1}},
		{MetricName: aws.String("Took"), Dimensions: dims("Zone", "a", "Host", "h"), Value: aws.Float64(7)},
		{MetricName: aws.String("Set"), StatisticValues: &cwtypes.StatisticSet{SampleCount: aws.Float64(4), Sum: aws.Float64(10), Minimum: aws.Float64(1), Maximum: aws.Float64(6)}},
		{MetricName: aws.String("Same"), StatisticValues: &cwtypes.StatisticSet{SampleCount: aws.Float64(4), Sum: aws.Float64(8), Minimum: aws.Float64(2), Maximum: aws.Float64(2)}},
		{MetricName: aws.String("Fine"), Value: aws.Float64(3), StorageResolution: aws.Int32(1), Timestamp: aws.Time(noon().Add(7 * time.Second))},
		{MetricName: aws.String("Fine"), Value: aws.Float64(4), StorageResolution: aws.Int32(1), Timestamp: aws.Time(noon().Add(12 * time.Second))},
	}})
	b.must(err)
	b.put("Long", 0, 1, 2, 3, 4, 5, 6)
	inBits, inTime := stat("bits", "App:Took", "Sum"), stat("ms", "App:Took", "Sum")
	inBits.MetricStat.Unit, inTime.MetricStat.Unit = cwtypes.StandardUnitBits, cwtypes.StandardUnitMilliseconds
	one := func(v float64) result { return result{[]int{0}, []float64{v}} }
	none := result{nil, []float64{}}
	b.wantData(map[string]result{
		"n": one(100), "sum": one(2480), "avg": one(24.8), "min": one(10), "max": one(1000), "p50": one(10), "p99": one(20), "p9901": one(1000), "p100": one(1000),
		"rank": one(50), "ranks": one(99), "rank0": one(0), "setrank": none,
		"dim": one(7), "set": one(2.5), "setp": none, "samep": one(2), "bits": none, "ms": one(2480),
		"fine": {[]int{5, 10}, []float64{3, 4}}, "coarse": one(7), "under": none, "five": {[]int{0, 300}, []float64{15, 6}},
	},
		stat("n", "App:Took", "SampleCount"), stat("sum", "App:Took", "Sum"), stat("avg", "App:Took", "Average"), stat("min", "App:Took", "Minimum"),
		stat("max", "App:Took", "Maximum"), stat("p50", "App:Took", "p50"), stat("p99", "App:Took", "p99"), stat("p9901", "App:Took", "p99.01"), stat("p100", "App:Took", "p100"),
		stat("rank", "App:Took", "PR(:19.5)"), stat("ranks", "App:Took", "PR(:20)"), stat("rank0", "App:Took", "PR(:1)"), stat("setrank", "App:Set", "PR(:3)"),
		stat("dim", "App:Took", "Sum", "Host", "h", "Zone", "a"), stat("set", "App:Set", "Average"), stat("setp", "App:Set", "p50"), stat("samep", "App:Same", "p50"),
		inBits, inTime, every(5, stat("fine", "App:Fine", "Sum")), stat("coarse", "App:Fine", "Sum"), every(10, stat("under", "App:Took", "Sum")),
		every(300, stat("five", "App:Long", "Sum")))
}

func TestMetricData_maths(t *testing.T) {
	b := newWatchBench(t)
	b.put("A", 0, 8, 2, 4)
	b.put("B", time.Minute, 1, 0)
	b.put("Gap", 0, 10)
	b.put("Gap", 3*time.Minute, 40)
	b.clock.advance(4 * time.Minute)
	at := func(times []int, values ...float64) result { return result{times, values} }
	for text, want := range map[string]result{
		"a + 1":                     at([]int{0, 60, 120}, 9, 3, 5),
		"a - b * 2":                 at([]int{60, 120}, 0, 4),
		"a / b":                     at([]int{60}, 2), // a division by zero is no point
		"-a ^ 2":                    at([]int{0, 60, 120}, -64, -4, -16),
		"2 ^ -(b) * (1.5e1 - .5)":   at([]int{60, 120}, 7.25, 14.5),
		"a > 2 AND a < 8":           at([]int{0, 60, 120}, 0, 0, 1),
		"a == 2 || a >= 8":          at([]int{0, 60, 120}, 1, 1, 0),
		"IF(a <= 2, 100, a)":        at([]int{0, 60, 120}, 8, 100, 4),
		"IF(a != 2, a)":             at([]int{0, 120}, 8, 4),
		"IF(1, b, a)":               at([]int{60, 120}, 1, 0),
		"ABS(0 - a)":                at([]int{0, 60, 120}, 8, 2, 4),
		"CEIL(a / 3) + FLOOR(a/3)":  at([]int{0, 60, 120}, 5, 1, 3),
		"a + SUM(a)":                at([]int{0, 60, 120}, 22, 16, 18),
		"a - AVG(a * 3)":            at([]int{0, 60, 120}, -6, -12, -10),
		"a - MIN(a) + MAX(a)":       at([]int{0, 60, 120}, 14, 8, 10),
		"SUM([a, b])":               at([]int{0, 60, 120}, 8, 3, 4),
		"MAX([a,b] * 2)":            at([]int{0, 60, 120}, 16, 4, 8),
		"SUM(METRICS())":            at([]int{0, 60, 120, 180}, 18, 3, 4, 40),
		"IF(gap, FILL(b, 5)) - gap": at([]int{0, 180}, -5, -35),
		"a*0 + FILL(b, REPEAT)":     at([]int{60, 120}, 1, 0),
		"FILL(gap, LINEAR)":         at([]int{0, 60, 120, 180}, 10, 20, 30, 40),
		"FILL(gap, REPEAT)":         at([]int{0, 60, 120, 180, 240}, 10, 10, 10, 40, 40),
	} {
		got := b.data(hidden(stat("a", "App:A", "Sum")), hidden(stat("b", "App:B", "Sum")), hidden(stat("gap", "App:Gap", "Sum")), expression("e", text))["e"]
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	// A metric without data points is filled too, up to now, as by CloudWatch.
	got := b.data(expression("e", "FILL(m, 0)"), hidden(stat("m", "App:None", "Sum")))["e"]
	if len(got.at) != 65 || got.at[64] != 240 {
		t.Errorf("got %v", got)
	}
}

func TestMetricData_mistakes(t *testing.T) {
	b := newWatchBench(t)
	m := stat("m", "App:A", "Sum")
	both := stat("m", "App:A", "Sum")
	both.Expression = aws.String("1")
	many := make([]cwtypes.MetricDataQuery, 501)
	for i := range many {
		many[i] = m
	}
	e := func(text string) []cwtypes.MetricDataQuery {
		return []cwtypes.MetricDataQuery{m, expression("e", text)}
	}
	for want, queries := range map[string][]cwtypes.MetricDataQuery{
		"The collection MetricDataQueries must not have a size greater than 500.":                                                                                                                   many,
		"The value M for parameter MetricDataQueries.member.1.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.":                                                                        {stat("M", "App:A", "Sum")},
		"The values for parameter id in MetricDataQueries are not unique: m is used twice.":                                                                                                         {m, m},
		"Either the Expression or the MetricStat must be specified for the query m, and not both.":                                                                                                  {both},
		"The value p101 for the statistic of the query m is not supported: it must be SampleCount, Average, Sum, Minimum, Maximum, a percentile such as p99 or a percentile rank such as PR(:0.5).": {stat("m", "App:A", "p101")},
		"The period 7 of the query m must be 1, 5, 10, 20, 30 or a multiple of 60.":                                                                                                                 {every(7, stat("m", "App:A", "Sum"))},
		"Error in expression 'e' [function ANOMALY_DETECTION_BAND: localaws does not know it; it knows SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL, IF and METRICS]":                                 e("ANOMALY_DETECTION_BAND(m)"),
		`Error in expression 'e' ["\"x\")": localaws does not know it]`:                                                                                                                             e(`METRICS("x")`),
		"Error in expression 'e' [there is no query with the id n]":                                                                                                                                 e("m + n"),
		"Error in expression 'e' [the expression refers to itself]":                                                                                                                                 e("e + 1"),
		"Error in expression 'e' [the expression must come to one time series, not to a number]":                                                                                                    e("SUM(m)"),
		"Error in expression 'e' [the expression must come to one time series, not to an array of time series]":                                                                                     e("[m]"),
		"Error in expression 'e' [the expression ends too early]":                                                                                                                                   e("m +"),
		`Error in expression 'e' [")" is expected, not ""]`:                                                                                                                                         e("(m"),
		`Error in expression 'e' ["m" is not expected here]`:                                                                                                                                        e("m m"),
		"Error in expression 'e' [function ABS does not take 2 arguments]":                                                                                                                          e("ABS(m, m)"),
	} {
		_, err := b.cw.GetMetricData(b.ctx(), &cw.GetMetricDataInput{StartTime: aws.Time(noon()), EndTime: aws.Time(noon().Add(time.Hour)), MetricDataQueries: queries})
		if got := failure(t, err); got != "ValidationError: "+want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	_, err := b.cw.GetMetricData(b.ctx(), &cw.GetMetricDataInput{StartTime: aws.Time(noon()), EndTime: aws.Time(noon()), MetricDataQueries: e("m")})
	if got := failure(t, err); got != "ValidationError: The parameter StartTime must be less than the parameter EndTime." {
		t.Error(got)
	}
}

func TestPutMetricData_mistakes(t *testing.T) {
	b := newWatchBench(t)
	one := func(change func(*cwtypes.MetricDatum)) []cwtypes.MetricDatum {
		d := cwtypes.MetricDatum{MetricName: aws.String("A"), Value: aws.Float64(1)}
		change(&d)
		return []cwtypes.MetricDatum{{MetricName: aws.String("Good"), Value: aws.Float64(1)}, d}
	}
	var thirtyOne []string
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDE" {
		thirtyOne = append(thirtyOne, string(c), "x")
	}
	for want, data := range map[string][]cwtypes.MetricDatum{
		"MissingParameter: The parameter MetricData is required.": nil,
		"InvalidParameterValue: The parameter MetricData.member.2.Timestamp must specify a time no more than two weeks in the past.": one(func(d *cwtypes.MetricDatum) {
			d.Timestamp = aws.Time(noon().Add(-14*24*time.Hour - time.Second))
		}),
		"InvalidParameterValue: The parameter MetricData.member.2.Timestamp must specify a time no more than two hours in the future.": one(func(d *cwtypes.MetricDatum) {
			d.Timestamp = aws.Time(noon().Add(2*time.Hour + time.Second))
		}),
		"InvalidParameterCombination: The parameters MetricData.member.2.Value and MetricData.member.2.Values are mutually exclusive and you have specified both.": one(func(d *cwtypes.MetricDatum) {
			d.Values = []float64{1}
		}),
		"MissingParameter: At least one of the parameters MetricData.member.2.Value, MetricData.member.2.Values and MetricData.member.2.StatisticValues must be specified.": one(func(d *cwtypes.MetricDatum) {
			d.Value = nil
		}),
		"InvalidParameterValue: The value 7 for parameter MetricData.member.2.StorageResolution is invalid: it must be 1 or 60.": one(func(d *cwtypes.MetricDatum) {
			d.StorageResolution = aws.Int32(7)
		}),
		"InvalidParameterValue: The collection MetricData.member.2.Dimensions must not have a size greater than 30.": one(func(d *cwtypes.MetricDatum) {
			d.Dimensions = dims(thirtyOne...)
		}),
		"InvalidParameterValue: The parameters MetricData.member.2.Values and MetricData.member.2.Counts must have the same size: they have 2 and 1.": one(func(d *cwtypes.MetricDatum) {
			d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1}
		}),
		"InvalidParameterValue: The value NaN in MetricData.member.2 is not between -2^360 and 2^360.": one(func(d *cwtypes.MetricDatum) {
			d.Value = aws.Float64(math.NaN())
		}),
	} {
		_, err := b.cw.PutMetricData(b.ctx(), &cw.PutMetricDataInput{Namespace: aws.String("App"), MetricData: data})
		if got := failure(t, err); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	_, err := b.cw.PutMetricData(b.ctx(), &cw.PutMetricDataInput{Namespace: aws.String("AWS/ApplicationELB"), MetricData: one(func(*cwtypes.MetricDatum) {})})
	if _, ok := errors.AsType[*cwtypes.InvalidParameterValueException](err); !ok || !strings.Contains(failure(t, err), "The value AWS/ApplicationELB for parameter Namespace is invalid.") {
		t.Errorf("got %T %v", err, err)
	}
	if got := b.data(stat("good", "App:Good", "Sum"))["good"]; len(got.values) > 0 {
		t.Errorf("a request with a mistake stored %v", got)
	}
}
