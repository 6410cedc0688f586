package localalb

import (
	"fmt"
	"time"
)

const (
	// awsMetricsPeriod is how often Elastic Load Balancing sends its figures to CloudWatch.
	awsMetricsPeriod = time.Minute
	// awsMetricsLate is how long after the end of its minute a figure shows, by experience: AWS promises nothing.
	awsMetricsLate = time.Minute
	// keptPoints is for how many periods of the clock the balancer's own figures are kept: three hours of the
	// fastest clock, a week of the usual one.
	keptPoints = 3 * 60 * 60
)

// metricsClock says when the balancer's own figures have points, and when those can be seen.
type metricsClock struct {
	period time.Duration
	late   time.Duration
	now    func() time.Time
}

// check refuses a period that no query could ask for: GetMetricData takes 1, 5, 10, 20, 30 and multiples of 60 s.
func (c metricsClock) check() error {
	fits := c.period >= time.Second && c.period%time.Second == 0 && (time.Minute%c.period == 0 || c.period%time.Minute == 0)
	if !fits {
		return fmt.Errorf("metrics period %s: it must be whole seconds that divide a minute, or whole minutes", c.period)
	}
	if c.late < 0 {
		return fmt.Errorf("metrics lateness %s: it must not be negative", c.late)
	}
	return nil
}

// fast tells whether the clock is one that AWS does not have.
func (c metricsClock) fast() bool { return c.period < awsMetricsPeriod }

// slot is the number of the period that a moment lies in, counted from 1970.
func (c metricsClock) slot(at time.Time) int64 { return at.UnixNano() / int64(c.period) }

// startOf is the beginning of a slot in seconds since 1970.
func (c metricsClock) startOf(slot int64) int64 { return slot * int64(c.period/time.Second) }

// visible is the number of the first slot that cannot be seen yet at a moment: its period and the lateness
// after it are not over.
func (c metricsClock) visible(at time.Time) int64 { return c.slot(at.Add(-c.late)) }

// oldest is the number of the first slot that is still kept at a moment.
func (c metricsClock) oldest(at time.Time) int64 { return c.slot(at) - keptPoints }
