package localaws_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

const (
	notInUse   = "unused Target.NotInUse Target group is not configured to receive traffic from the load balancer"
	wrongZone  = "unused Target.NotInUse Target is in an Availability Zone that is not enabled for the load balancer"
	mismatch   = "unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [500]"
	failing    = "unhealthy Target.FailedHealthChecks Health checks failed"
	isDraining = "draining Target.DeregistrationInProgress Target deregistration is in progress"
	good       = "healthy  "
)

// becomes waits until the targets of a group have these states.
func (b *bench) becomes(group string, want ...string) {
	b.t.Helper()
	b.until(fmt.Sprint(want), func() bool { return fmt.Sprint(b.states(group)) == fmt.Sprint(want) })
}

// switchable is a target whose health check can fail on demand.
func switchable(t *testing.T, name string) (address string, unhealthy *atomic.Bool) {
	t.Helper()
	unhealthy = &atomic.Bool{}
	return target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" && unhealthy.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(name))
	})), unhealthy
}

func TestHealth_groupIsCheckedOnlyWhileInUse(t *testing.T) {
	b := newBench(t)
	blue, green := b.group("blue", web(t, "blue")), b.group("green", web(t, "green"))
	b.becomes(green, notInUse)
	l := b.listener(b.balancer("app"), 80, forward(share{blue, 100}, share{green, 0}))
	b.becomes(green, good)
	b.modify(l, forward(share{blue, 100}))
	b.becomes(green, notInUse)
}

func TestHealth_followsTheTarget(t *testing.T) {
	b := newBench(t)
	address, unhealthy := switchable(t, "a")
	g := b.group("g", address, web(t, "b"))
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, good, good)
	unhealthy.Store(true)
	b.becomes(g, mismatch, good)
	if got := b.sequence(l, 4); got != "bbbb" {
		t.Errorf("an unhealthy target got requests: %s", got)
	}
	unhealthy.Store(false)
	b.becomes(g, good, good)
}

func TestHealth_failsOpenWhenNoTargetIsHealthy(t *testing.T) {
	b := newBench(t)
	first, unhealthyFirst := switchable(t, "a")
	second, unhealthySecond := switchable(t, "b")
	g := b.group("g", first, second)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, good, good)
	unhealthyFirst.Store(true)
	unhealthySecond.Store(true)
	b.becomes(g, mismatch, mismatch)
	got := b.load(l, 1, 10)
	if got["200 a"] != 5 || got["200 b"] != 5 {
		t.Errorf("got %v", got)
	}
}

func TestHealth_reasons(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	refused := b.group("refused", refusing(t))
	b.listener(lb, 1, forward(share{refused, 1}))
	b.becomes(refused, failing)
	zoned := b.group("zoned")
	b.listener(lb, 2, forward(share{zoned, 1}))
	targets := descriptions(t, []string{web(t, "a")})
	targets[0].AvailabilityZone = aws.String("us-east-1f")
	_, err := b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &zoned, Targets: targets})
	b.must(err)
	b.becomes(zoned, wrongZone)
	out, err := b.api.DescribeTargetHealth(b.ctx(), &elb.DescribeTargetHealthInput{
		TargetGroupArn: &zoned, Targets: []types.TargetDescription{{Id: aws.String("127.0.0.9"), Port: aws.Int32(9)}},
	})
	b.must(err)
	if h := out.TargetHealthDescriptions[0].TargetHealth; h.State != "unused" || h.Reason != "Target.NotRegistered" {
		t.Errorf("got %s %s", h.State, h.Reason)
	}
}

func TestHealth_timeout(t *testing.T) {
	b := newBench(t)
	deaf := target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	g := b.group("g", deaf)
	_, err := b.api.ModifyTargetGroup(b.ctx(), &elb.ModifyTargetGroupInput{TargetGroupArn: &g, HealthCheckTimeoutSeconds: aws.Int32(2)})
	b.must(err)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, "unhealthy Target.Timeout Request timed out")
	_, err = b.api.DeleteListener(b.ctx(), &elb.DeleteListenerInput{ListenerArn: &l})
	b.must(err)
}

func TestHealth_ownPortPathAndMatcher(t *testing.T) {
	b := newBench(t)
	probe := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/live" && r.UserAgent() == "ELB-HealthChecker/2.0" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	port := fmt.Sprint(*descriptions(t, []string{probe})[0].Port)
	g := b.group("g", refusing(t))
	_, err := b.api.ModifyTargetGroup(b.ctx(), &elb.ModifyTargetGroupInput{
		TargetGroupArn: &g, HealthCheckPort: &port, HealthCheckPath: aws.String("/live"), Matcher: &types.Matcher{HttpCode: aws.String("200,410-418")},
	})
	b.must(err)
	b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, good)
}

func TestHealth_lambdaHasNoVerdict(t *testing.T) {
	b := newBench(t)
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{Name: aws.String("fn"), TargetType: types.TargetTypeEnumLambda})
	b.must(err)
	g := *out.TargetGroups[0].TargetGroupArn
	_, err = b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &g, Targets: []types.TargetDescription{{Id: aws.String("arn:aws:lambda:us-east-1:123456789012:function:f")}}})
	b.must(err)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, "unavailable Target.HealthCheckDisabled Health checks are not enabled for this target")
	if status, _ := b.get(l, "/"); status != 502 {
		t.Errorf("got %d", status)
	}
}

func TestHealth_startsInitial(t *testing.T) {
	b := newBench(t)
	release := make(chan struct{})
	held := target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	g := b.group("g", held)
	b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, "initial Elb.InitialHealthChecking Initial health checks in progress")
	close(release)
	b.becomes(g, good)
}

func TestHealth_instanceTargets(t *testing.T) {
	b := newBench(t, localaws.WithInstances(map[string]string{"i-0002": "127.0.0.2"}))
	address := web(t, "one")
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{
		Name: aws.String("g"), Protocol: types.ProtocolEnumHttp, Port: descriptions(t, []string{address})[0].Port, VpcId: aws.String("vpc-1"),
	})
	b.must(err)
	g := *out.TargetGroups[0].TargetGroupArn
	_, err = b.api.RegisterTargets(b.ctx(), &elb.RegisterTargetsInput{TargetGroupArn: &g, Targets: []types.TargetDescription{{Id: aws.String("i-0001")}, {Id: aws.String("i-0002")}}})
	b.must(err)
	b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, good, failing)
}

func TestDrain_requestInFlightFinishes(t *testing.T) {
	b := newBench(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	long := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			close(arrived)
			<-release
		}
		_, _ = w.Write([]byte("old"))
	}))
	g, spare := b.group("g", long), b.group("spare", web(t, "new"))
	b.attribute(g, "deregistration_delay.timeout_seconds", "1")
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}, share{spare, 0}))
	b.healthy(g, spare)
	answer := make(chan string, 1)
	go func() {
		status, body := b.get(l, "/long")
		answer <- fmt.Sprint(status, " ", body)
	}()
	<-arrived
	b.modify(l, forward(share{g, 0}, share{spare, 1}))
	b.deregister(g, long)
	if _, body := b.get(l, "/"); body != "new" {
		t.Errorf("a draining group got a new request: %s", body)
	}
	b.becomes(g) // gone after the delay, though its request is still in flight
	close(release)
	if got := <-answer; got != "200 old" {
		t.Errorf("the long request got %q", got)
	}
}

func TestDrain_registeredAgain(t *testing.T) {
	b := newBench(t)
	address := web(t, "a")
	g := b.group("g", address)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.becomes(g, good)
	b.deregister(g, address)
	b.becomes(g, isDraining)
	if status, _ := b.get(l, "/"); status != 503 {
		t.Errorf("with draining targets alone: got %d", status)
	}
	b.register(g, address)
	b.becomes(g, good)
}

func TestDrain_immediatelyWhileNotInUse(t *testing.T) {
	b := newBench(t)
	address := web(t, "a")
	g := b.group("g", address)
	b.deregister(g, address)
	b.becomes(g)
}

func TestClose_leavesNothingRunning(t *testing.T) {
	before := goroutines()
	func() {
		b := newBench(t, localaws.WithManagement("127.0.0.1:0"))
		hang := target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		g := b.group("g", hang, web(t, "a"))
		l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
		b.deregister(g, hang)
		b.register(g, hang)
		for range 3 {
			go b.try(l)
		}
		b.until("requests in flight", func() bool { return b.srv.ListenerCounts(l).Requests == 3 })
		b.must(b.srv.Close())
		b.must(b.srv.Close())
		b.web.CloseIdleConnections()
	}()
	limit := time.NewTimer(slow.Deadline(30 * time.Second))
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for goroutines() > before {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("still running:\n%s", stacks())
		}
	}
}
