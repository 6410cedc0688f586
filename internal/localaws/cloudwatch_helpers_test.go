package localaws_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// clock is a clock that only a test advances.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// noon is the initial time of the clocks: a whole minute, and a whole hour.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

func newClock() *clock { return &clock{now: noon()} }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// watchBench is a running load balancer with ELB and CloudWatch clients, and a clock.
type watchBench struct {
	*bench
	cw    *cw.Client
	clock *clock
}

func newWatchBench(t *testing.T, opts ...localaws.Option) *watchBench {
	t.Helper()
	c := newClock()
	b := newBench(t, append([]localaws.Option{localaws.WithNow(c.read)}, opts...)...)
	return &watchBench{bench: b, cw: watchClient(b.srv.URL()), clock: c}
}

// watchClient returns a client that repeats nothing but calls whose connection its own transport
// closed, which happens now and then while a large response is read.
func watchClient(url string, change ...func(*cw.Options)) *cw.Client {
	return cw.New(cw.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url),
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) {
			o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
				return aws.BoolTernary(errors.Is(err, net.ErrClosed))
			})}
		}),
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", ""),
	}, change...)
}

// suffix returns the dimension value of an ARN.
func suffix(arn string) string {
	resource := strings.SplitN(arn, ":", 6)[5]
	return strings.TrimPrefix(resource, "loadbalancer/")
}

// dims returns dimensions from alternating names and values.
func dims(pairs ...string) []cwtypes.Dimension {
	var out []cwtypes.Dimension
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, cwtypes.Dimension{Name: aws.String(pairs[i]), Value: aws.String(pairs[i+1])})
	}
	return out
}

// stat is a query for a metric such as "App:Errors", by the minute.
func stat(id, metric, statistic string, dimensions ...string) cwtypes.MetricDataQuery {
	namespace, name, _ := strings.Cut(metric, ":")
	return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{
		Metric: &cwtypes.Metric{Namespace: &namespace, MetricName: &name, Dimensions: dims(dimensions...)},
		Period: aws.Int32(60), Stat: &statistic,
	}}
}

// every changes the period of a query.
func every(seconds int32, q cwtypes.MetricDataQuery) cwtypes.MetricDataQuery {
	q.MetricStat.Period = &seconds
	return q
}

func expression(id, text string) cwtypes.MetricDataQuery {
	return cwtypes.MetricDataQuery{Id: &id, Expression: &text}
}

// hidden excludes a query from the result.
func hidden(q cwtypes.MetricDataQuery) cwtypes.MetricDataQuery {
	q.ReturnData = aws.Bool(false)
	return q
}

// result is the result of a query, oldest first, with times in seconds since noon.
type result struct {
	at     []int
	values []float64
}

// data returns data of the hour before and after noon.
func (b *watchBench) data(queries ...cwtypes.MetricDataQuery) map[string]result {
	b.t.Helper()
	out, err := b.cw.GetMetricData(b.ctx(), &cw.GetMetricDataInput{
		StartTime: aws.Time(noon().Add(-time.Hour)), EndTime: aws.Time(noon().Add(time.Hour)), MetricDataQueries: queries, ScanBy: cwtypes.ScanByTimestampAscending,
	})
	b.must(err)
	found := map[string]result{}
	for _, r := range out.MetricDataResults {
		one := result{values: r.Values}
		for _, at := range r.Timestamps {
			one.at = append(one.at, int(at.Sub(noon()).Seconds()))
		}
		found[*r.Id] = one
	}
	return found
}

// put stores values of a metric in the namespace App, one at each time after noon.
func (b *watchBench) put(name string, at time.Duration, values ...float64) {
	b.t.Helper()
	in := &cw.PutMetricDataInput{Namespace: aws.String("App")}
	for i, v := range values {
		in.MetricData = append(in.MetricData, cwtypes.MetricDatum{MetricName: &name, Value: &v, Timestamp: aws.Time(noon().Add(at + time.Duration(i)*time.Minute))})
	}
	_, err := b.cw.PutMetricData(b.ctx(), in)
	b.must(err)
}

// failure returns code, message and HTTP status of an SDK error.
func failure(t *testing.T, err error) string {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, want an API error", err)
	}
	return api.ErrorCode() + ": " + api.ErrorMessage()
}

// withoutMetadata removes from a response what changes with every call.
func withoutMetadata(m *middleware.Metadata) { *m = middleware.Metadata{} }

// unsigned is a transport that removes the signature of requests.
type unsigned struct{}

// RoundTrip sends the request without its signature.
func (unsigned) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Del("Authorization")
	return http.DefaultTransport.RoundTrip(r)
}

// pretty formats a response.
func pretty(v any) string {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// inUTC converts all times in a response to UTC, so that responses can be compared.
func inUTC(answer any) {
	moveTimes(reflect.ValueOf(answer))
}

func moveTimes(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		moveTimes(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			moveTimes(v.Index(i))
		}
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(at.UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				moveTimes(v.Field(i))
			}
		}
	}
}
