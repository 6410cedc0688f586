package operate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/connect"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const shiftID = "20260102T120000Z-00aa"

// world is a load balancer with a listener and two rules, and a target in blue and green.
type world struct {
	t      *testing.T
	aws    *localaws.Server
	stack  *rehearsal.Stack
	routes []string // the listener, then the rules
	target string   // address of the application
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(20*time.Millisecond), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	for _, entry := range append(rehearsal.LocalEnv(server.URL()), "AWS_ENDPOINT_URL_STS="+server.URL()) {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	stack, err := rehearsal.NewStack(t.Context(), server.URL(), 80, "blue", "green")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, aws: server, stack: stack, routes: []string{stack.Listener}, target: app.Listener.Addr().String()}
	for i := range 2 {
		w.routes = append(w.routes, w.addRule(stack.Listener, 10+i))
	}
	w.split(50, w.routes...)
	w.register("blue")
	w.register("green")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addRule(listener string, priority int) string {
	w.t.Helper()
	out, err := w.stack.Client().CreateRule(context.Background(), &elbv2.CreateRuleInput{ListenerArn: &listener, Priority: aws.Int32(int32(priority)), Actions: w.forward(100, 0),
		Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{fmt.Sprintf("/%d", priority)}}}})
	w.must(err)
	return *out.Rules[0].RuleArn
}

func (w *world) forward(blue, green int32) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: aws.String(w.stack.Groups["blue"]), Weight: &blue}, {TargetGroupArn: aws.String(w.stack.Groups["green"]), Weight: &green}}}}}
}

// split gives green a share.
func (w *world) split(green int32, routes ...string) {
	w.t.Helper()
	for _, arn := range routes {
		var err error
		if strings.Contains(arn, "listener-rule") {
			_, err = w.stack.Client().ModifyRule(context.Background(), &elbv2.ModifyRuleInput{RuleArn: &arn, Actions: w.forward(100-green, green)})
		} else {
			_, err = w.stack.Client().ModifyListener(context.Background(), &elbv2.ModifyListenerInput{ListenerArn: &arn, DefaultActions: w.forward(100-green, green)})
		}
		w.must(err)
	}
}

// register adds a healthy target to an environment.
func (w *world) register(environment string) {
	w.t.Helper()
	host, port, err := net.SplitHostPort(w.target)
	w.must(err)
	n, err := strconv.Atoi(port)
	w.must(err)
	group := w.stack.Groups[environment]
	_, err = w.stack.Client().RegisterTargets(context.Background(), &elbv2.RegisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: &host, Port: aws.Int32(int32(n))}}})
	w.must(err)
	w.eventually(environment+" is healthy", func() bool { return w.health(environment) == types.TargetHealthStateEnumHealthy })
}

func (w *world) health(environment string) types.TargetHealthStateEnum {
	group := w.stack.Groups[environment]
	out, err := w.stack.Client().DescribeTargetHealth(context.Background(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &group})
	w.must(err)
	if len(out.TargetHealthDescriptions) == 0 {
		return ""
	}
	return out.TargetHealthDescriptions[0].TargetHealth.State
}

// deregister removes the target of an environment.
func (w *world) deregister(environment string) {
	w.t.Helper()
	group := w.stack.Groups[environment]
	host, port, err := net.SplitHostPort(w.target)
	w.must(err)
	n, err := strconv.Atoi(port)
	w.must(err)
	_, err = w.stack.Client().DeregisterTargets(context.Background(), &elbv2.DeregisterTargetsInput{TargetGroupArn: &group, Targets: []types.TargetDescription{{Id: &host, Port: aws.Int32(int32(n))}}})
	w.must(err)
	w.eventually(environment+" has no target", func() bool { return w.health(environment) == "" })
}

func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	limit := time.After(slow.Deadline(20 * time.Second))
	for !is() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

// record is the record of a shift from blue to green whose owner is long gone, so that no write of
// it can be late.
func (w *world) record() traffic.Record {
	blue, green := traffic.GroupKey(w.stack.Groups["blue"]), traffic.GroupKey(w.stack.Groups["green"])
	return traffic.Record{Shift: shiftID, Switch: "s", Routes: 3, Owner: traffic.Owner{User: "ann", Host: "ci-7", Boot: "gone", PID: 1}, Phase: traffic.PhaseOpen, Renewal: 3,
		Expires: time.Now().Add(-2 * time.Hour), Reached: 500, Goal: "goal", Environment: "green", Version: "1.5.0",
		From: map[string]shift.Share{blue: 1000}, To: map[string]shift.Share{green: 1000}}
}

// put writes the record of a shift to all routes.
func (w *world) put(r traffic.Record) {
	w.t.Helper()
	w.must(elb.NewRecorder(w.router()).Put(context.Background(), w.routes, r, true))
}

func (w *world) router() *elb.Router {
	return elb.New(elb.Config{Client: func(string) elb.Client { return w.stack.Client() }})
}

// records returns the record of a route.
func (w *world) recorded(route string) traffic.Record {
	w.t.Helper()
	records, err := elb.NewRecorder(w.router()).Records(context.Background(), []string{route})
	w.must(err)
	if len(records[route]) != 1 {
		w.t.Fatalf("%s has the records %+v", route, records[route])
	}
	return records[route][0]
}

// on returns an operator on routes.
func (w *world) on(routes ...string) *operate.Operator {
	w.t.Helper()
	target, err := operate.FromRoutes(routes)
	w.must(err)
	return w.operator(target)
}

// named returns an operator on all routes, as a state has them.
func (w *world) named() *operate.Operator {
	w.t.Helper()
	groups := func(name string) map[string]string { return map[string]string{"web": w.stack.Groups[name]} }
	target := operate.Target{Switch: "bluegreen_switch.web", Environments: map[string]operate.Environment{"blue": {Version: "1.4.2", Groups: groups("blue")}, "green": {Version: "1.5.0", Groups: groups("green")}}}
	for _, id := range w.routes {
		target.Routes = append(target.Routes, traffic.Route{Entry: "web", ID: id})
	}
	return w.operator(target)
}

func (w *world) operator(target operate.Target) *operate.Operator {
	w.t.Helper()
	clients, err := connect.Open(context.Background(), target.Routes[0].ID, "test")
	w.must(err)
	return &operate.Operator{Clients: clients, Target: target, Owner: traffic.Owner{User: "bob", Host: "laptop"}, Abandoned: owner.Abandoned, Guarded: owner.IsGuarded}
}

// clear removes all records.
func (w *world) clear() {
	w.t.Helper()
	for _, route := range w.routes {
		var keys []string
		for key := range w.aws.Tags(route) {
			keys = append(keys, key)
		}
		if keys != nil {
			_, err := w.stack.Client().RemoveTags(context.Background(), &elbv2.RemoveTagsInput{ResourceArns: []string{route}, TagKeys: keys})
			w.must(err)
		}
	}
}

// writes counts the calls that changed an action since a mark.
func (w *world) writes(mark int) int {
	calls := w.aws.Calls()[mark:]
	return len(slices.DeleteFunc(calls, func(c localaws.Call) bool { return !strings.HasPrefix(c.Action, "Modify") }))
}

// changes counts the calls that changed anything since a mark.
func (w *world) changes(mark int) int {
	calls := w.aws.Calls()[mark:]
	return len(slices.DeleteFunc(calls, func(c localaws.Call) bool {
		return strings.HasPrefix(c.Action, "Describe") || strings.HasPrefix(c.Action, "Get") || strings.HasPrefix(c.Action, "List")
	}))
}

func (w *world) mark() int { return len(w.aws.Calls()) }

// shares returns the weight of green on each route.
func (w *world) green(routes ...string) (all []int) {
	for _, arn := range routes {
		all = append(all, w.aws.Weights(arn)[w.stack.Groups["green"]])
	}
	return all
}

// volatile replaces what differs from run to run.
func (w *world) volatile() []golden.Replacement {
	return append(golden.Volatile(), golden.Replace(shiftID, "<shift>"), golden.ReplacePattern(`Rolled back in [^.]*\S+\.\n`, "Rolled back in <time>.\n"),
		golden.ReplacePattern(`\b127\.0\.0\.1\b`, "<host>"), golden.ReplacePattern(`\(\S+ ago\)|expired \S+ ago`, "(<time> ago)"))
}
