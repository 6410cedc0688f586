package cloudwatch

import (
	"fmt"
	"time"
)

const (
	// awsMetricsPeriod is the interval at which Elastic Load Balancing sends metrics to CloudWatch.
	awsMetricsPeriod = time.Minute
	// retainedPeriods is the retention of the load balancer's own metrics in periods: three hours of the fastest
	// clock, a week of the default one.
	retainedPeriods = 3 * 60 * 60
)

// metricsClock defines the periods of the load balancer's own metrics and their delay.
type metricsClock struct {
	period time.Duration
	delay  time.Duration
	now    func() time.Time
}

// check rejects a period that no query can use: GetMetricData accepts 1, 5, 10, 20, 30 and multiples of 60 s.
func (c metricsClock) check() error {
	fits := c.period >= time.Second && c.period%time.Second == 0 && (time.Minute%c.period == 0 || c.period%time.Minute == 0)
	if !fits {
		return fmt.Errorf("metrics period %s: it must be whole seconds that divide a minute, or whole minutes", c.period)
	}
	if c.delay < 0 {
		return fmt.Errorf("metrics delay %s: it must not be negative", c.delay)
	}
	return nil
}

// fast reports whether the period is shorter than that of AWS.
func (c metricsClock) fast() bool { return c.period < awsMetricsPeriod }

// slot returns the index of the period that contains a time, counted from the Unix epoch.
func (c metricsClock) slot(at time.Time) int64 { return at.UnixNano() / int64(c.period) }

// startOf returns the start of a slot in seconds since the Unix epoch.
func (c metricsClock) startOf(slot int64) int64 { return slot * int64(c.period/time.Second) }

// visible returns the index of the first slot that is not visible yet at a time, because its period and the delay
// after it have not passed.
func (c metricsClock) visible(at time.Time) int64 { return c.slot(at.Add(-c.delay)) }

// oldest returns the index of the first slot that is retained at a time.
func (c metricsClock) oldest(at time.Time) int64 { return c.slot(at) - retainedPeriods }
