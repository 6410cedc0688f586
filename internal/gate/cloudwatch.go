package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// maxQueries is the limit of GetMetricData for one call.
const maxQueries = 500

// Defaults of the kinds that read metrics.
const (
	// DefaultPeriod is the period of most AWS metrics, including those of Elastic Load
	// Balancing, which are published once a minute.
	DefaultPeriod = time.Minute
	// DefaultLookback is the length of the window that is evaluated.
	DefaultLookback = 5 * time.Minute
	// DefaultLag is how long after its end a period counts as complete.
	DefaultLag = time.Minute
)

var (
	errForbidden = errors.New("the credentials are not allowed to read the metric")
	errInternal  = errors.New("CloudWatch reported an internal error")
	errSamePage  = errors.New("CloudWatch returned the same page twice")

	// ErrNoRegion is the cause where neither the gate nor the routes nor the provider have a region.
	ErrNoRegion = errors.New("no region is known: set region in the gate, region in the block aws of the provider, or AWS_REGION")

	regionPattern = regexp.MustCompile(`^[a-z]{2}[a-z0-9-]*-[0-9]+$`)
)

// checkRegion validates a region. Empty is valid: it means the default region.
func checkRegion(region string) []*ArgumentError {
	if region != "" && !regionPattern.MatchString(region) {
		return []*ArgumentError{invalid("region", "%q is not an AWS region, such as eu-west-1", region)}
	}
	return nil
}

// validatePeriod reports an error for a period that CloudWatch does not support.
func validatePeriod(p time.Duration) error {
	highResolution := []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second}
	if slices.Contains(highResolution, p) || p > 0 && p%time.Minute == 0 {
		return nil
	}
	return fmt.Errorf("%s is not 1s, 5s, 10s, 20s, 30s or a multiple of 60s", schedule.FormatDuration(p))
}

// checkTimes validates the arguments that the metric kinds have in common. Longest is
// the longest period of the gate and its queries.
func checkTimes(longest, lookback, lag time.Duration) []*ArgumentError {
	var errs []*ArgumentError
	if lookback < longest {
		errs = append(errs, invalid("lookback", "%s is shorter than the period of %s", schedule.FormatDuration(lookback), schedule.FormatDuration(longest)))
	}
	if lag < 0 {
		errs = append(errs, invalid("lag", "%s is negative", schedule.FormatDuration(lag)))
	}
	return errs
}

// metricSpan is a sequence of whole periods, from the start of the first to the end
// of the last.
type metricSpan struct{ from, to time.Time }

// completePeriods returns the whole periods that started at or after since and ended
// at least lag before now.
func completePeriods(since, now time.Time, period, lag time.Duration) metricSpan {
	s := metricSpan{from: periodStart(since, period), to: periodStart(now.Add(-lag), period)}
	if s.from.Before(since) {
		s.from = s.from.Add(period)
	}
	if s.to.Before(s.from) {
		s.to = s.from
	}
	return s
}

// periodStart returns the start of the period that contains t. CloudWatch aligns
// periods to the hour, as the Unix epoch is.
func periodStart(t time.Time, period time.Duration) time.Time {
	seconds := int64(period / time.Second)
	return time.Unix(t.Unix()-t.Unix()%seconds, 0).UTC()
}

// last returns the end of a span, at most length long in whole periods, but at least
// one period.
func (s metricSpan) last(length, period time.Duration) metricSpan {
	from := s.to.Add(-max(period, length.Truncate(period)))
	if from.After(s.from) {
		s.from = from
	}
	return s
}

func (s metricSpan) empty() bool           { return !s.from.Before(s.to) }
func (s metricSpan) length() time.Duration { return s.to.Sub(s.from) }
func (s metricSpan) text() string          { return schedule.FormatDuration(s.length()) }

func (s metricSpan) has(second int64) bool { return s.from.Unix() <= second && second < s.to.Unix() }

// waitText describes how long it takes until the first whole period after a change is
// complete.
func waitText(in rollout.GateInput, now time.Time, period, lag time.Duration) string {
	since, begin := in.Since(), "the last change"
	if since.After(in.ChangedAt) {
		begin = "initial_delay"
	}
	ready := completePeriods(since, since, period, 0).from.Add(period + lag)
	return fmt.Sprintf("the first full %s period after %s is complete in %s",
		schedule.FormatDuration(period), begin, schedule.FormatDuration(max(time.Second, (ready.Sub(now)+time.Second-1).Truncate(time.Second))))
}

// metricSeries holds the data points of one time series.
type metricSeries struct {
	label    string
	values   map[int64]float64 // by start of the period in Unix seconds
	partial  bool              // CloudWatch did not return all data
	messages []string          // messages of CloudWatch about the data
	status   types.StatusCode
}

// readMetrics reads every query over a span in as few calls as CloudWatch allows, and
// follows the pages. It returns the series of each query by ID; an expression may
// have several.
func readMetrics(ctx context.Context, api CloudWatch, s metricSpan, queries []types.MetricDataQuery) (map[string][]*metricSeries, error) {
	all := map[string][]*metricSeries{}
	for some := range slices.Chunk(queries, maxQueries) {
		in := &cloudwatch.GetMetricDataInput{
			StartTime: &s.from, EndTime: &s.to, MetricDataQueries: some, ScanBy: types.ScanByTimestampAscending,
		}
		if err := readPages(ctx, api, in, all); err != nil {
			return nil, err
		}
	}
	for _, series := range all {
		for _, one := range series {
			if err := one.checkStatus(); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func readPages(ctx context.Context, api CloudWatch, in *cloudwatch.GetMetricDataInput, all map[string][]*metricSeries) error {
	for {
		out, err := api.GetMetricData(ctx, in)
		if err != nil {
			return err
		}
		seen := map[[2]string]int{} // results of this page with an ID and a label
		for _, r := range out.MetricDataResults {
			key := [2]string{aws.ToString(r.Id), aws.ToString(r.Label)}
			addResult(all, r, seen[key])
			seen[key]++
		}
		if aws.ToString(out.NextToken) == "" {
			return nil
		}
		if aws.ToString(out.NextToken) == aws.ToString(in.NextToken) {
			return errSamePage
		}
		in.NextToken = out.NextToken
	}
}

// addResult adds one page of a series. Several series of an expression may have the same label, as
// SEARCH over accounts returns them: before is how many of the page precede this one.
func addResult(all map[string][]*metricSeries, r types.MetricDataResult, before int) {
	id, label := aws.ToString(r.Id), aws.ToString(r.Label)
	at := -1
	for i, s := range all[id] {
		if s.label != label {
			continue
		}
		if before == 0 {
			at = i
			break
		}
		before--
	}
	if at < 0 {
		at = len(all[id])
		all[id] = append(all[id], &metricSeries{label: label, values: map[int64]float64{}})
	}
	s := all[id][at]
	s.status = r.StatusCode
	for i := range min(len(r.Timestamps), len(r.Values)) {
		s.values[r.Timestamps[i].Unix()] = r.Values[i]
	}
	for _, m := range r.Messages {
		s.messages = append(s.messages, oneLine(aws.ToString(m.Code)+": "+aws.ToString(m.Value)))
	}
}

// checkStatus evaluates the status of the last page.
func (s *metricSeries) checkStatus() error {
	switch s.status {
	case types.StatusCodeForbidden:
		return errForbidden
	case types.StatusCodeInternalError:
		return errInternal
	case types.StatusCodePartialData:
		s.partial = true
	case types.StatusCodeComplete:
	}
	return nil
}

// metricQuery returns the query for one metric.
func metricQuery(id string, q MetricQuery) types.MetricDataQuery {
	m := &types.Metric{Namespace: &q.Namespace, MetricName: &q.Metric}
	for _, name := range slices.Sorted(maps.Keys(q.Dimensions)) {
		m.Dimensions = append(m.Dimensions, types.Dimension{Name: new(name), Value: new(q.Dimensions[name])})
	}
	query := types.MetricDataQuery{
		Id: &id, ReturnData: new(true),
		MetricStat: &types.MetricStat{Metric: m, Stat: &q.Stat, Period: new(int32(q.Period / time.Second))},
	}
	if q.AccountID != "" {
		query.AccountId = &q.AccountID
	}
	return query
}

// clients caches one client per region. It is safe for concurrent use.
type clients struct {
	connect func(region string) (CloudWatch, error)

	mu       sync.Mutex
	byRegion map[string]CloudWatch
}

func (c *clients) in(region string) (CloudWatch, error) {
	if region == "" {
		return nil, ErrNoRegion
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if api := c.byRegion[region]; api != nil {
		return api, nil
	}
	api, err := c.connect(region)
	if err != nil {
		return nil, err
	}
	if c.byRegion == nil {
		c.byRegion = map[string]CloudWatch{}
	}
	c.byRegion[region] = api
	return api, nil
}

// readFailed returns the verdict for data that could not be read.
func readFailed(what string, err error) rollout.Verdict {
	return rollout.Verdict{Status: rollout.Errored, Detail: what + " could not be read", Err: err}
}

// preflightVerdict returns the verdict of a trial read before a shift starts. A
// permanent error blocks the shift; a temporary one does not.
func preflightVerdict(what string, err error) rollout.Verdict {
	switch {
	case err == nil:
		return rollout.Verdict{Status: rollout.Pass, Detail: what + " can be read"}
	case isPermanent(err):
		return readFailed(what, err)
	default:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("%s could not be read: %v", what, err)}
	}
}

// isPermanent reports whether a retry would return the same error, because the
// request is malformed or not allowed.
func isPermanent(err error) bool {
	if errors.Is(err, errForbidden) || errors.Is(err, ErrNoRegion) || errors.Is(err, errNotALB) || errors.Is(err, errOnlyNLB) {
		return true
	}
	if _, none := errors.AsType[*traffic.NoMetricsError](err); none {
		return true
	}
	status, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	if !ok || status.HTTPStatusCode()/100 != 4 || status.HTTPStatusCode() == 429 {
		return false
	}
	return !(retry.ThrottleErrorCode{Codes: retry.DefaultThrottleErrorCodes}).IsErrorThrottle(err).Bool()
}

func clockTime(second int64) string { return time.Unix(second, 0).UTC().Format(time.TimeOnly) + "Z" }

func messagesText(messages []string) string {
	if len(messages) == 0 {
		return ""
	}
	return " (CloudWatch: " + shortReason(strings.Join(messages, "; ")) + ")"
}
