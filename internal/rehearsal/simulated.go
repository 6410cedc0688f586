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

// The ARNs of a simulated balancer, of which the first route is moved.
const (
	SimulatedListener = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/simulated/50dc6c495c0c9188/f2f7dc8efc522ab2"
	SimulatedLive     = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/live/73e2d6bc24d8a067"
	SimulatedFresh    = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/fresh/9683b2d02a6cabee"
)

const (
	// simulatedBefore is how many minutes have passed before the change, all of
	// whose requests went to the live side.
	simulatedBefore = 10
	// simulatedLag is how late the points are.
	simulatedLag = time.Minute
)

// SimulatedSide is how one side of a simulated balancer behaves.
type SimulatedSide struct {
	Errors   float64       // percent of the requests that are answered with a 5xx, each by its own luck
	P50, P99 time.Duration // of its answers, whose times are distributed lognormally
}

// Slower is the same side with its slow answers so many times as slow, and those
// in the middle as quick as they were.
func (s SimulatedSide) Slower(times float64) SimulatedSide {
	s.P99 = time.Duration(float64(s.P99) * times)
	return s
}

// SimulatedTerms is what goes on at a simulated balancer.
type SimulatedTerms struct {
	Seed        uint64
	Rate        float64 // requests a second on both sides together; how many come in is up to chance
	Share       float64 // percent of them that the fresh side gets since the change
	Live, Fresh SimulatedSide
}

// Simulated is a balancer that exists in its figures alone: whole minutes of them,
// before and after a change of weights, as CloudWatch gives them. It answers the
// two calls that gates make. The same terms give the same figures. It is for one
// goroutine.
type Simulated struct {
	terms   SimulatedTerms
	random  *rand.Rand
	minutes []simulatedMinute
}

// simulatedMinute is what a minute's figures are made of, by side.
type simulatedMinute [2]simulatedCounts

type simulatedCounts struct {
	requests, errors int
	luck             uint64             // of its latencies
	latency          map[string]float64 // by statistic, in seconds
}

const (
	liveSide  = 0
	freshSide = 1
)

var simulatedEpoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Simulate makes a balancer at the moment of the change of weights.
func Simulate(t SimulatedTerms) *Simulated {
	s := &Simulated{terms: t, random: rand.New(rand.NewPCG(t.Seed, 0x626c7565))}
	for range simulatedBefore {
		s.Advance()
	}
	return s
}

// Advance lets a minute pass.
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

// ChangedAt is when the weights changed, at the turn of a minute.
func (s *Simulated) ChangedAt() time.Time {
	return simulatedEpoch.Add(simulatedBefore * time.Minute)
}

// Now is when the points of the newest minute are there.
func (s *Simulated) Now() time.Time {
	return simulatedEpoch.Add(time.Duration(len(s.minutes))*time.Minute + simulatedLag)
}

func (s *Simulated) count(mean float64, side SimulatedSide) simulatedCounts {
	c := simulatedCounts{requests: poisson(s.random, mean), luck: s.random.Uint64(), latency: map[string]float64{}}
	c.errors = binomial(s.random, c.requests, side.Errors/100)
	return c
}

// DescribeAlarms knows of none.
func (s *Simulated) DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	return &cloudwatch.DescribeAlarmsOutput{}, nil
}

// GetMetricData answers queries for the metrics of the two groups. What was not
// counted has no point, as with a real balancer.
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

// sideOf is the side of a group; a metric of the balancer as a whole has none.
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

// time is a statistic of the minute's latencies in seconds: "Average", or a
// percentile such as "p99".
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
		// The k-th of n uniform numbers has a beta distribution, so none of the n
		// has to be drawn.
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

// quantile is the standard normal distribution's.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// poisson draws a number with that mean.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 1000 {
		// The normal distribution is within a thousandth of it.
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	// As many steps of exponential length as fit into the mean.
	n := -1
	for left := mean; left >= 0; n++ {
		left -= r.ExpFloat64()
	}
	return n
}

// binomial draws how many of n happen that each have the chance p, by drawing how
// many do not until the next one does.
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
