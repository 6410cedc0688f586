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
	// simulatedBefore is the number of minutes before the first weight change, with all requests on the live version.
	simulatedBefore = 60
	// simulatedLag is the delay of the metrics.
	simulatedLag = time.Minute
	// stumbleChance is how often a dependency stumbles: one minute in 8.
	stumbleChance = 1.0 / 8
	// The number of hosts of both versions.
	freshHosts, liveHosts = 2, 20
)

// SimulatedSide is the behavior of one version behind a simulated load balancer.
type SimulatedSide struct {
	Errors   float64       // percent of the requests that get a 5xx
	P50, P99 time.Duration // of the response times, which have a lognormal distribution
	Hump     float64       // percent of the responses that take HumpTime instead
	HumpTime time.Duration
}

// Slower returns the same behavior with the slow responses slowed down by a factor and the median unchanged.
func (s SimulatedSide) Slower(times float64) SimulatedSide {
	s.P99 = time.Duration(float64(s.P99) * times)
	return s
}

// above is the share of responses that take longer than a time.
func (s SimulatedSide) above(t time.Duration) float64 {
	sigma := math.Log(s.P99.Seconds()/s.P50.Seconds()) / quantile(0.99)
	share := (1 - s.Hump/100) * math.Erfc(math.Log(t.Seconds()/s.P50.Seconds())/sigma/math.Sqrt2) / 2
	if s.HumpTime > t {
		share += s.Hump / 100
	}
	return share
}

// SimulatedTerms configures a simulation. Errors are independent, except for what it says.
type SimulatedTerms struct {
	Seed        uint64
	Rate        float64   // mean requests per second of both versions together
	Shares      []float64 // percent of them that the new version receives, by step
	Live, Fresh SimulatedSide
	RunLength   int           // errors come in runs of this many; 0: they do not
	HostSpread  float64       // hosts have different error rates, with this relative standard deviation
	Stumbles    float64       // percent of errors of both versions in a minute in which a dependency stumbles
	Cold        int           // minutes after the first change in which all responses of the new version are slow
	Delay       time.Duration // initial_delay: data from before it does not count
}

// Simulated is a load balancer that exists only in its metrics: whole minutes before and after weight changes,
// as CloudWatch returns them. It implements the two calls that gates make. Equal terms give equal metrics. It
// must not be used concurrently.
type Simulated struct {
	terms     SimulatedTerms
	random    *rand.Rand
	hosts     [2]float64 // error rate of the hosts, relative to that of the version
	minutes   []simulatedMinute
	step      int // from 1; 0 before the first change
	changedAt int // minute of the last change
}

// simulatedMinute is the data of a minute, by version.
type simulatedMinute [2]simulatedCounts

type simulatedCounts struct {
	requests, errors int
	isCold           bool
	luck             uint64             // seed of its response times
	fast             map[string]float64 // percent of the responses up to a time, by statistic
}

const (
	liveSide  = 0
	freshSide = 1
)

var simulatedEpoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Simulate returns a load balancer at the time of the first weight change.
func Simulate(t SimulatedTerms) *Simulated {
	s := &Simulated{terms: t, random: rand.New(rand.NewPCG(t.Seed, 0x626c7565))}
	s.hosts = [2]float64{liveSide: s.drawHosts(liveHosts), freshSide: s.drawHosts(freshHosts)}
	for range simulatedBefore {
		s.Advance()
	}
	s.Change()
	return s
}

// drawHosts returns the mean of the error rates of some hosts, which have a gamma distribution with mean 1.
func (s *Simulated) drawHosts(n int) float64 {
	if s.terms.HostSpread == 0 {
		return 1
	}
	// The sum of n gamma distributed numbers is gamma distributed, with the sum of their shapes.
	shape := float64(n) / (s.terms.HostSpread * s.terms.HostSpread)
	return gamma(s.random, shape) / shape
}

// Change shifts the traffic to the next share.
func (s *Simulated) Change() { s.step, s.changedAt = s.step+1, len(s.minutes) }

// Advance adds a minute.
func (s *Simulated) Advance() {
	share := 0.0
	if s.step > 0 {
		share = s.terms.Shares[s.step-1] / 100
	}
	stumbles := s.terms.Stumbles > 0 && s.random.Float64() < stumbleChance
	var m simulatedMinute
	for i, requests := range [2]float64{liveSide: 1 - share, freshSide: share} {
		side := [2]SimulatedSide{liveSide: s.terms.Live, freshSide: s.terms.Fresh}[i]
		errors := side.Errors / 100 * s.hosts[i]
		if stumbles {
			errors += s.terms.Stumbles / 100
		}
		m[i] = s.count(s.terms.Rate*60*requests, min(1, errors))
	}
	m[freshSide].isCold = len(s.minutes) < simulatedBefore+s.terms.Cold
	s.minutes = append(s.minutes, m)
}

// ChangedAt is the time of the last weight change, at the start of a minute.
func (s *Simulated) ChangedAt() time.Time {
	return simulatedEpoch.Add(time.Duration(s.changedAt) * time.Minute)
}

// DataFrom is the time from which data counts: the end of the delay after the last weight change.
func (s *Simulated) DataFrom() time.Time { return s.ChangedAt().Add(s.terms.Delay) }

// Step is the number of the present step, from 1, and the number of all steps.
func (s *Simulated) Step() (step, of int) { return s.step, len(s.terms.Shares) }

// Now is when the metrics of the newest minute are available.
func (s *Simulated) Now() time.Time {
	return simulatedEpoch.Add(time.Duration(len(s.minutes))*time.Minute + simulatedLag)
}

func (s *Simulated) count(mean, errors float64) simulatedCounts {
	c := simulatedCounts{requests: poisson(s.random, mean), luck: s.random.Uint64(), fast: map[string]float64{}}
	if runs := s.terms.RunLength; runs > 1 {
		c.errors = min(c.requests, runs*poisson(s.random, float64(c.requests)*errors/float64(runs)))
	} else {
		c.errors = binomial(s.random, c.requests, errors)
	}
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
		for i := max(0, int(in.StartTime.Sub(simulatedEpoch)/time.Minute)); i < len(s.minutes); i++ {
			at := simulatedEpoch.Add(time.Duration(i) * time.Minute)
			if at.Before(*in.StartTime) || !at.Before(*in.EndTime) {
				continue
			}
			if v, ok := s.value(q.MetricStat, i); ok {
				r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, v)
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

// value returns a statistic of a minute, and whether there is one. A counter of 0 has none.
func (s *Simulated) value(m *types.MetricStat, minute int) (v float64, ok bool) {
	side, ok := sideOf(m.Metric.Dimensions)
	if !ok {
		return 0, false
	}
	c := s.minutes[minute][side]
	switch aws.ToString(m.Metric.MetricName) {
	case "RequestCount":
		v = float64(c.requests)
	case "HTTPCode_Target_2XX_Count":
		v = float64(c.requests - c.errors)
	case "HTTPCode_Target_5XX_Count":
		v = float64(c.errors)
	case "TargetResponseTime":
		return c.percentUpTo([]SimulatedSide{s.terms.Live, s.terms.Fresh}[side], aws.ToString(m.Stat)), c.requests > 0
	}
	return v, v > 0
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

// percentUpTo is the percentage of the minute's responses up to a time: a percentile rank such as "PR(:0.5)".
func (c simulatedCounts) percentUpTo(side SimulatedSide, stat string) float64 {
	if v, ok := c.fast[stat]; ok || c.requests == 0 {
		return v
	}
	seconds, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(stat, "PR(:"), ")"), 64)
	slow := side.above(time.Duration(seconds * float64(time.Second)))
	if c.isCold {
		slow = 1
	}
	random := rand.New(rand.NewPCG(c.luck, uint64(len(stat))))
	v := 100 * (1 - float64(binomial(random, c.requests, slow))/float64(c.requests))
	c.fast[stat] = v
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
