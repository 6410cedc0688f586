package rehearsal

import (
	"context"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// The ARNs of a simulated load balancer.
const (
	SimulatedListener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/simulated/50dc6c495c0c9188/f2f7dc8efc522ab2"
	SimulatedLive     = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/live/73e2d6bc24d8a067"
	SimulatedFresh    = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/fresh/9683b2d02a6cabee"
)

const (
	// simulatedBefore is the number of minutes before the weight change, with all requests on the live version.
	simulatedBefore = 10
	// simulatedLag is the delay of the metrics.
	simulatedLag = time.Minute
)

// SimulatedSide is the behavior of one version behind a simulated load balancer.
type SimulatedSide struct {
	Errors   float64       // percent of the requests that get a 5xx, independently
	P50, P99 time.Duration // of the response times, which have a lognormal distribution
}

// Slower returns the same behavior with the slow responses slowed down by a factor and the median unchanged.
func (s SimulatedSide) Slower(times float64) SimulatedSide {
	s.P99 = time.Duration(float64(s.P99) * times)
	return s
}

// SimulatedTerms configures a simulation.
type SimulatedTerms struct {
	Seed        uint64
	Rate        float64 // mean requests per second of both versions together
	Share       float64 // percent of them that the new version receives since the change
	Live, Fresh SimulatedSide
}

// Simulated is a load balancer that exists only in its metrics: whole minutes before and after a weight change,
// as CloudWatch returns them. It implements the two calls that gates make. Equal terms give equal metrics. It
// must not be used concurrently.
type Simulated struct {
	terms   SimulatedTerms
	random  *rand.Rand
	minutes []simulatedMinute
}

// simulatedMinute is the data of a minute, by version.
type simulatedMinute [2]simulatedCounts

type simulatedCounts struct {
	requests, errors int
	luck             uint64             // seed of its latencies
	latency          map[string]float64 // by statistic, in seconds
}

const (
	liveSide  = 0
	freshSide = 1
)

var simulatedEpoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Simulate returns a load balancer at the time of the weight change.
func Simulate(t SimulatedTerms) *Simulated {
	s := &Simulated{terms: t, random: rand.New(rand.NewPCG(t.Seed, 0x626c7565))}
	for range simulatedBefore {
		s.Advance()
	}
	return s
}

// Advance adds a minute.
func (s *Simulated) Advance() {
	share := 0.0
	if len(s.minutes) >= simulatedBefore {
		share = s.terms.Share / 100
	}
	var m simulatedMinute
	m[freshSide] = s.count(s.terms.Rate*60*share, s.terms.Fresh)
	m[liveSide] = s.count(s.terms.Rate*60*(1-share), s.terms.Live)
	s.minutes = append(s.minutes, m)
}

// ChangedAt is the time of the weight change, at the start of a minute.
func (s *Simulated) ChangedAt() time.Time {
	return simulatedEpoch.Add(simulatedBefore * time.Minute)
}

// Now is when the metrics of the newest minute are available.
func (s *Simulated) Now() time.Time {
	return simulatedEpoch.Add(time.Duration(len(s.minutes))*time.Minute + simulatedLag)
}

func (s *Simulated) count(mean float64, side SimulatedSide) simulatedCounts {
	c := simulatedCounts{requests: poisson(s.random, mean), luck: s.random.Uint64(), latency: map[string]float64{}}
	c.errors = binomial(s.random, c.requests, side.Errors/100)
	return c
}

// DescribeAlarms returns no alarms.
func (s *Simulated) DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	return &cloudwatch.DescribeAlarmsOutput{}, nil
}

// GetMetricData returns metrics of the two groups. As with a real load balancer, there is no data point without
// requests.
func (s *Simulated) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		r := types.MetricDataResult{Id: q.Id, Label: q.MetricStat.Metric.MetricName, StatusCode: types.StatusCodeComplete}
		for i := range s.minutes {
			at := simulatedEpoch.Add(time.Duration(i) * time.Minute)
			if at.Before(*in.StartTime) || !at.Before(*in.EndTime) {
				continue
			}
			if v := s.value(q.MetricStat, i); v > 0 {
				r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, v)
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func (s *Simulated) value(m *types.MetricStat, minute int) float64 {
	side, ok := sideOf(m.Metric.Dimensions)
	if !ok {
		return 0
	}
	c := s.minutes[minute][side]
	switch aws.ToString(m.Metric.MetricName) {
	case "RequestCount":
		return float64(c.requests)
	case "HTTPCode_Target_2XX_Count":
		return float64(c.requests - c.errors)
	case "HTTPCode_Target_5XX_Count":
		return float64(c.errors)
	case "TargetResponseTime":
		return c.time([]SimulatedSide{s.terms.Live, s.terms.Fresh}[side], aws.ToString(m.Stat))
	}
	return 0
}

// sideOf is the version of a group; a load balancer metric has none.
func sideOf(dimensions []types.Dimension) (side int, ok bool) {
	for _, d := range dimensions {
		if aws.ToString(d.Name) == "TargetGroup" {
			if strings.HasSuffix(SimulatedFresh, aws.ToString(d.Value)) {
				return freshSide, true
			}
			return liveSide, strings.HasSuffix(SimulatedLive, aws.ToString(d.Value))
		}
	}
	return 0, false
}

// time is a statistic of the minute's latencies in seconds: "Average", or a percentile such as "p99".
func (c simulatedCounts) time(side SimulatedSide, stat string) float64 {
	if c.requests == 0 || side.P50 == 0 {
		return 0
	}
	if v, ok := c.latency[stat]; ok {
		return v
	}
	random := rand.New(rand.NewPCG(c.luck, uint64(len(stat))))
	sigma := math.Log(side.P99.Seconds()/side.P50.Seconds()) / quantile(0.99)
	v := 0.0
	if p, err := strconv.ParseFloat(strings.TrimPrefix(stat, "p"), 64); err == nil {
		// The k-th of n uniform numbers has a beta distribution, so the n numbers need not be drawn.
		k := math.Ceil(p / 100 * float64(c.requests))
		a, b := gamma(random, k), gamma(random, float64(c.requests)-k+1)
		v = side.P50.Seconds() * math.Exp(sigma*quantile(a/(a+b)))
	} else {
		for range c.requests {
			v += math.Exp(sigma * random.NormFloat64())
		}
		v *= side.P50.Seconds() / float64(c.requests)
	}
	c.latency[stat] = v
	return v
}

// quantile is that of the standard normal distribution.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// poisson draws a number with that mean.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 1000 {
		// The normal distribution is within a thousandth of it.
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	// The number of exponential steps that fit into the mean.
	n := -1
	for left := mean; left >= 0; n++ {
		left -= r.ExpFloat64()
	}
	return n
}

// binomial draws the number of successes in n trials with probability p, by drawing the gaps between successes.
func binomial(r *rand.Rand, n int, p float64) int {
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return n
	}
	hits, each := 0, math.Log1p(-p)
	for at := math.Floor(-r.ExpFloat64() / each); at < float64(n); at += 1 + math.Floor(-r.ExpFloat64()/each) {
		hits++
	}
	return hits
}

// gamma draws from the gamma distribution with that shape, 1 or more, and scale 1,
// by the method of Marsaglia and Tsang, ACM Transactions on Mathematical Software
// 26 (2000), 363-372.
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := (1 + c*x) * (1 + c*x) * (1 + c*x)
		if v > 0 && math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
