package localaws

import (
	"log/slog"
	"maps"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// Option configures a Server.
type Option func(*config)

type config struct {
	address        string
	management     string
	region         string
	account        string
	log            *slog.Logger
	ephemeral      bool
	omitLoneWeight bool
	staleBalancers bool
	fastHealth     time.Duration
	propagation    time.Duration
	instances      map[string]string
	faults         []faults.Fault
	period, delay  time.Duration // of the metrics
	activation     time.Duration
	provisioning   time.Duration
	now            func() time.Time

	recordPropagation, recordProcessing time.Duration
	route53Rate                         int
	dns                                 string
	exactDNS                            bool
	ownAddresses                        bool
}

func newConfig(opts []Option) config {
	c := config{
		address:   "127.0.0.1:0",
		region:    "us-east-1",
		account:   "123456789012",
		log:       slog.Default(),
		instances: map[string]string{},
		period:    time.Minute,
		delay:     time.Minute, // as observed; AWS documents none
		now:       time.Now,

		recordPropagation: 100 * time.Millisecond,
	}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithAddress sets the address of the API, "host:port". The default is a free port of 127.0.0.1.
func WithAddress(address string) Option {
	return func(c *config) { c.address = address }
}

// WithManagement enables the management port at "host:port". The host must be a loopback address, because
// anybody who reaches the port can inject faults. By default the port is off.
func WithManagement(address string) Option {
	return func(c *config) { c.management = address }
}

// WithRegion sets the region of requests without one in their signature. A region in the signature takes
// precedence. The default is us-east-1.
func WithRegion(region string) Option {
	return func(c *config) { c.region = region }
}

// WithAccount sets the 12-digit account ID in all ARNs. The default is 123456789012.
func WithAccount(account string) Option {
	return func(c *config) { c.account = account }
}

// WithLogger sets the logger of the server. The default is slog.Default().
func WithLogger(log *slog.Logger) Option {
	return func(c *config) { c.log = log }
}

// WithEphemeralPorts makes every listener listen on a free port of 127.0.0.1 instead of its configured port.
// Describe calls still return the configured port; Server.ListenerAddr returns the actual address.
func WithEphemeralPorts() Option {
	return func(c *config) { c.ephemeral = true }
}

// WithFastHealth overrides the health check interval of every target group. AWS has no interval under 5 s:
// this is for tests and demonstrations only. Thresholds, timeout, path and matcher are not affected. Zero, the
// default, uses the interval of the group.
func WithFastHealth(interval time.Duration) Option {
	return func(c *config) { c.fastHealth = interval }
}

// WithPropagation delays every routing change in the data plane, as the propagation to the nodes of a real load
// balancer does. Describe calls show the change immediately. The default is zero. A LateSync fault delays
// individual calls.
func WithPropagation(delay time.Duration) Option {
	return func(c *config) { c.propagation = delay }
}

// WithoutLoneWeight omits the weight of a target group that is alone in its action, as Network Load Balancers and
// some ALB responses do. By default, a missing weight is returned as 1.
func WithoutLoneWeight() Option {
	return func(c *config) { c.omitLoneWeight = true }
}

// WithStaleGroupBalancers makes DescribeTargetGroups return the load balancer of a target group only where a
// listener or rule was created with the group, and not where it was attached later, as moto does.
func WithStaleGroupBalancers() Option {
	return func(c *config) { c.staleBalancers = true }
}

// WithInstances maps instance IDs to addresses for groups of target type instance. The address of any other
// instance is 127.0.0.1.
func WithInstances(addresses map[string]string) Option {
	return func(c *config) { maps.Copy(c.instances, addresses) }
}

// WithMetricsClock sets the period of the load balancer's own CloudWatch metrics, and how long after the end of
// its period a point becomes visible. The period must be whole seconds that divide a minute, or whole minutes;
// the delay may be zero. The default is a minute for both, as with AWS. AWS has no shorter period: results that
// depend on one must say so. With a shorter period, metric alarms are evaluated once per that period instead of
// once per their own, and may have a period of 1 s or 5 s.
func WithMetricsClock(period, delay time.Duration) Option {
	return func(c *config) { c.period, c.delay = period, delay }
}

// WithDNS starts a DNS server at "host:port", which must be a loopback address; port 0 is a free one. It answers for the
// hosted zones of Route 53 and the names of load balancers, over UDP and TCP. By default it is off.
func WithDNS(address string) Option {
	return func(c *config) { c.dns = address }
}

// WithExactDNS makes the DNS server choose among weighted record sets exactly by weight, in turns. By default it chooses
// at random, as Route 53 does.
func WithExactDNS() Option {
	return func(c *config) { c.exactDNS = true }
}

// WithBalancerAddresses gives every load balancer a loopback address of its own, from 127.0.0.2 on, on which its listeners
// accept connections and to which its name resolves. With ephemeral ports, listeners with the same configured port then have
// the same one. Only Linux has these addresses without configuration. By default all
// load balancers have 127.0.0.1.
func WithBalancerAddresses() Option {
	return func(c *config) { c.ownAddresses = true }
}

// WithRecordPropagation sets how long a change of DNS records is PENDING. The default is 100 ms; AWS takes up to a minute.
// A LateSync fault adds to individual changes.
func WithRecordPropagation(delay time.Duration) Option {
	return func(c *config) { c.recordPropagation = delay }
}

// WithRecordProcessing rejects a change of a hosted zone with PriorRequestNotComplete until that long after the one before.
// The default is zero: no change is rejected.
func WithRecordProcessing(duration time.Duration) Option {
	return func(c *config) { c.recordProcessing = duration }
}

// WithRoute53Rate sets how many calls per second Route 53 serves, with a bucket of as many; others are rejected with
// Throttling. AWS has 5 per account. The default is no limit.
func WithRoute53Rate(perSecond int) Option {
	return func(c *config) { c.route53Rate = perSecond }
}

// WithFunctionDelays sets how long a new version of a Lambda function is pending, and how long provisioned concurrency is
// in progress. The default is zero for both. SetVersionStatus and FinishProvisioning of Server.Lambda end them earlier.
func WithFunctionDelays(activation, provisioning time.Duration) Option {
	return func(c *config) { c.activation, c.provisioning = activation, provisioning }
}

// WithFault injects a fault at start, as Server.Inject does later. With an unknown kind or action, Start returns an
// error that names the known ones.
func WithFault(f faults.Fault) Option {
	return func(c *config) { c.faults = append(c.faults, f) }
}
