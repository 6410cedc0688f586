package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const routes = 3 // where a measurement does not say another number

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// loopback is a local load balancer with routes to the same two target groups, with one
// target each.
type loopback struct {
	balancer *localaws.Server
	app      *httptest.Server
	stage    *rehearsal.Stack
	spec     rollout.Spec
}

func newLoopback(ctx context.Context, holds time.Duration) (*loopback, error) {
	return newLoopbackOf(ctx, routes, holds)
}

// newLoopbackOf has another number of routes.
func newLoopbackOf(ctx context.Context, routes int, holds time.Duration) (*loopback, error) {
	l := &loopback{}
	var err error
	l.balancer, err = localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(20*time.Millisecond), localaws.WithLogger(quiet()))
	if err != nil {
		return nil, err
	}
	l.app = httptest.NewServer(rehearsal.AppTerms{Version: "1"}.Handler())
	if l.stage, err = rehearsal.NewStack(ctx, l.balancer.URL(), 80, "blue", "green"); err != nil {
		return nil, err
	}
	if err := l.register(ctx); err != nil {
		return nil, err
	}
	listeners, err := l.listeners(ctx, routes)
	if err != nil {
		return nil, err
	}
	l.spec = l.newSpec(listeners, holds)
	return l, nil
}

// register puts the one server into both groups.
func (l *loopback) register(ctx context.Context) error {
	client := rehearsal.Client(l.balancer.URL())
	port, err := rehearsal.PortOf(l.app.Listener.Addr().String())
	if err != nil {
		return err
	}
	for _, group := range l.stage.Groups {
		_, err := client.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: aws.String(group),
			Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: aws.Int32(port)}}})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loopback) listeners(ctx context.Context, n int) ([]string, error) {
	client, arns := rehearsal.Client(l.balancer.URL()), []string{l.stage.Listener}
	for i := range int32(n - 1) {
		created, err := client.CreateListener(ctx, &elbv2.CreateListenerInput{
			LoadBalancerArn: aws.String(l.stage.LoadBalancer), Port: aws.Int32(8000 + i), Protocol: types.ProtocolEnumHttp,
			DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(l.stage.Groups["blue"])}}})
		if err != nil {
			return nil, err
		}
		arns = append(arns, aws.ToString(created.Listeners[0].ListenerArn))
	}
	return arns, nil
}

func (l *loopback) newSpec(listeners []string, holds time.Duration) rollout.Spec {
	forward, rollback := elb.NewRouters(aws.Config{
		Region: rehearsal.Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")},
		elb.Options{Endpoint: l.balancer.URL()})
	spec := specOf(forward, rollback, elb.Limits(), map[string]map[string]string{
		"blue": {"web": l.stage.Groups["blue"]}, "green": {"web": l.stage.Groups["green"]}})
	spec.Record = rollout.RecordSpec{Recorder: elb.NewRecorder(forward), Template: traffic.Record{Switch: "bench", Goal: "green"}}
	for _, arn := range listeners {
		spec.Routes = append(spec.Routes, rollout.Route{Route: traffic.Route{ID: arn, Entry: "web"}})
		spec.Record.Template.Routes++
	}
	for percent := 10; percent < 100; percent += 10 {
		spec.Request.Strategy.Steps = append(spec.Request.Strategy.Steps, shift.Step{At: shift.Share(10 * percent), Hold: holds})
	}
	return spec
}

// specOf is a shift from blue to green, which leaves no record.
func specOf(forward, rollback traffic.Router, limits traffic.Limits, owned map[string]map[string]string) rollout.Spec {
	return rollout.Spec{
		Router: forward, RollbackRouter: rollback, ID: "bench", Owners: traffic.NewOwners(owned, nil, nil), Limits: limits,
		Request: shift.Request{
			Environments: []shift.Environment{{Name: "blue"}, {Name: "green"}},
			Desired:      shift.Sole("green"),
			Strategy:     shift.Strategy{HealthTimeout: time.Minute},
		},
		Health: rollout.HealthSettings{CapacityPercent: 50, MinHealthyPercent: 100, MinHealthyTargets: 1,
			BreachFor: 30 * time.Second, Timeout: time.Minute},
		Record: rollout.RecordSpec{Off: true},
	}
}

func (l *loopback) close() {
	if l.app != nil {
		l.app.Close()
	}
	_ = l.balancer.Close()
}

// stepHold is long compared to what is measured.
const stepHold = 50 * time.Millisecond

// steps measures the overhead of a step beyond its hold, and its writes and reads.
func (b bench) steps(ctx context.Context) ([]row, error) {
	const runs = 11
	var overheads []time.Duration
	var writes, reads float64
	for range runs {
		l, err := newLoopback(ctx, stepHold)
		if err != nil {
			return nil, err
		}
		var marks []time.Time
		l.spec.OnEvent = func(e rollout.Event) {
			if e.Kind == rollout.PhaseStarted {
				marks = append(marks, e.At)
			}
		}
		calls := len(l.balancer.Calls())
		_, err = rollout.Run(ctx, l.spec)
		overheads = append(overheads, betweenSteps(marks)...)
		writes, reads = count(l.balancer.Calls()[calls:])
		l.close()
		if err != nil {
			return nil, err
		}
	}
	overhead := median(overheads)
	const (
		steps = 10
		looks = 3 // at the start, after the attach, at the end
	)
	return []row{
		{what: fmt.Sprintf("overhead of a step with %d routes on loopback: median of wall time minus hold", routes),
			goal: "under 50 ms", measured: ms(overhead), missed: overhead >= 50*time.Millisecond},
		{what: "ELBv2 writes per shift and route with 9 steps and 100 %, including the attach",
			goal: "steps + 1 = 10, and 1 attach", measured: fmt.Sprintf("%g", writes/routes), missed: writes/routes != steps+1},
		{what: fmt.Sprintf("reads per step for all %d listeners together (before the write, to detect external changes, and after it, to verify), without health", routes),
			goal: "counted", measured: fmt.Sprintf("%g", (reads-looks)/steps)},
	}, nil
}

// betweenSteps returns the time from the start of each step to the next, minus the hold.
func betweenSteps(marks []time.Time) []time.Duration {
	var all []time.Duration
	for i := 4; i+1 < len(marks); i++ { // after the record, the attach, the health check and the gates before traffic
		if d := marks[i+1].Sub(marks[i]) - stepHold; d > -stepHold/2 {
			all = append(all, d)
		}
	}
	return all
}

// count counts writes of actions and reads of listeners.
func count(calls []localaws.Call) (writes, reads float64) {
	for _, c := range calls {
		switch c.Action {
		case "ModifyListener", "ModifyRule":
			writes++
		case "DescribeListeners", "DescribeRules":
			reads++
		}
	}
	return writes, reads
}

// failingGate passes until it is switched to fail, and records when it did.
type failingGate struct {
	fails    atomic.Bool
	failedAt time.Time
}

func (g *failingGate) Evaluate(context.Context, rollout.GateInput) rollout.Verdict {
	if !g.fails.Load() {
		return rollout.Verdict{Status: rollout.Pass}
	}
	g.failedAt = time.Now()
	return rollout.Verdict{Status: rollout.Fail, Detail: "switched to fail"}
}

// rollbackTimes measures from a gate's failing answer to all routes read back.
func (b bench) rollbackTimes(ctx context.Context) ([]row, error) {
	const runs = 21
	var all []time.Duration
	for range runs {
		l, err := newLoopback(ctx, time.Minute)
		if err != nil {
			return nil, err
		}
		gate := &failingGate{}
		l.spec.Request.Strategy.Gates = []shift.GateSettings{{Name: "turning", When: shift.During,
			Interval: 5 * time.Millisecond, Timeout: time.Second, InconclusiveTimeout: time.Minute}}
		l.spec.Gates = []rollout.NamedGate{{GateSettings: l.spec.Request.Strategy.Gates[0], Gate: gate}}
		l.spec.OnEvent = func(e rollout.Event) {
			if e.Kind == rollout.GateEvaluated {
				gate.fails.Store(true) // evaluated once, at 10 %
			}
		}
		_, err = rollout.Run(ctx, l.spec)
		took := time.Since(gate.failedAt)
		l.close()
		if err == nil {
			return nil, fmt.Errorf("a gate failed and the shift did not")
		}
		all = append(all, took)
	}
	m := median(all)
	return []row{{what: fmt.Sprintf("from a failed gate to the verified rollback of %d routes, median", routes),
		goal: "under 50 ms", measured: ms(m), missed: m >= 50*time.Millisecond}}, nil
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
