package localalb

import (
	"log/slog"
	"maps"
	"time"
)

// Option changes how a Server starts.
type Option func(*config)

type config struct {
	address      string
	management   string
	region       string
	account      string
	log          *slog.Logger
	ephemeral    bool
	bareLone     bool
	fastHealth   time.Duration
	settle       time.Duration
	instances    map[string]string
	faults       []Fault
	hooks        []func(Call)
	journalLimit int
	clock        metricsClock
}

func newConfig(opts []Option) config {
	c := config{
		address:      "127.0.0.1:0",
		region:       "us-east-1",
		account:      "123456789012",
		log:          slog.Default(),
		instances:    map[string]string{},
		journalLimit: 100_000,
		clock:        metricsClock{period: awsMetricsPeriod, late: awsMetricsLate, now: time.Now},
	}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithAddress sets where the API listens, "host:port". The default is a free port of 127.0.0.1.
func WithAddress(address string) Option {
	return func(c *config) { c.address = address }
}

// WithManagement switches the management port on, at "host:port". The host must be a loopback address,
// since whoever reaches the port can make the balancer fail. The default is off.
func WithManagement(address string) Option {
	return func(c *config) { c.management = address }
}

// WithRegion sets the region of requests whose signature names none. The region in a signature wins, as
// every AWS endpoint serves one region. The default is us-east-1.
func WithRegion(region string) Option {
	return func(c *config) { c.region = region }
}

// WithAccount sets the account number in every ARN, twelve digits. The default is 123456789012.
func WithAccount(account string) Option {
	return func(c *config) { c.account = account }
}

// WithLogger sets where the server logs. The default is slog.Default().
func WithLogger(log *slog.Logger) Option {
	return func(c *config) { c.log = log }
}

// WithEphemeralPorts lets every listener listen on a free port of 127.0.0.1 instead of the one asked for.
// Describe calls still show the port asked for; Server.ListenerAddr tells the real one.
func WithEphemeralPorts() Option {
	return func(c *config) { c.ephemeral = true }
}

// WithFastHealth makes every group's health checks run at this interval, whatever the group says. AWS has
// no interval under 5 s: this is for tests and demonstrations alone. Thresholds, timeout, path and matcher
// stay the group's own. Zero, the default, keeps the group's interval.
func WithFastHealth(interval time.Duration) Option {
	return func(c *config) { c.fastHealth = interval }
}

// WithPropagation delays every change of routing by this long: Describe calls show it at once and the data
// plane obeys later, as the nodes of a real balancer do. The default is zero. A LateSync fault does the
// same for single calls.
func WithPropagation(delay time.Duration) Option {
	return func(c *config) { c.settle = delay }
}

// WithoutLoneWeight leaves out the weight of a group that is alone in its action, as Network Load
// Balancers and some ALB answers do. The default shows a weight of 1 where none was given.
func WithoutLoneWeight() Option {
	return func(c *config) { c.bareLone = true }
}

// WithInstances maps instance ids to addresses for groups of target type instance. An id that is not
// named is taken to be at 127.0.0.1.
func WithInstances(addresses map[string]string) Option {
	return func(c *config) { maps.Copy(c.instances, addresses) }
}

// WithMetricsClock makes the balancer's own figures in CloudWatch have a point in every period, visible when the
// period and after it the lateness are over. The period is whole seconds that divide a minute, or whole minutes;
// the lateness may be zero. The default is a minute each, as with AWS. A shorter period is a clock that AWS does
// not have: every figure that was got with it must be labelled so. With it metric alarms are evaluated once in
// that period instead of once in their own, and may have a period of 1 s and 5 s.
func WithMetricsClock(period, late time.Duration) Option {
	return func(c *config) { c.clock.period, c.clock.late = period, late }
}

// WithFault injects a fault from the start, as Server.Inject does later.
func WithFault(f Fault) Option {
	return func(c *config) { c.faults = append(c.faults, f) }
}

// WithHook adds a function that is called for every API call before it is carried out and answered. It may
// block, and may call the API itself; it runs in the goroutine of its call.
func WithHook(hook func(Call)) Option {
	return func(c *config) { c.hooks = append(c.hooks, hook) }
}
