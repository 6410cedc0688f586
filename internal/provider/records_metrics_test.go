package provider_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// balancerOf creates a load balancer.
func (s *dnsSite) balancerOf(name string, kind elbtypes.LoadBalancerTypeEnum) elbtypes.LoadBalancer {
	s.t.Helper()
	out, err := s.api.CreateLoadBalancer(s.t.Context(), &elbv2.CreateLoadBalancerInput{Name: &name, Type: kind, Subnets: []string{"subnet-1", "subnet-2"}})
	s.must(err)
	return out.LoadBalancers[0]
}

// alias makes the records of an environment aliases.
func (s *dnsSite) alias(environment string, weight int64, target types.AliasTarget) {
	s.t.Helper()
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		s.set(types.ResourceRecordSet{Name: new("app.example.com"), Type: kind, SetIdentifier: &environment, Weight: &weight, AliasTarget: &target})
	}
}

func targetOf(b elbtypes.LoadBalancer) types.AliasTarget {
	return types.AliasTarget{HostedZoneId: b.CanonicalHostedZoneId, DNSName: new("dualstack." + *b.DNSName)}
}

// stack creates a load balancer with an application behind it, of which the records of the environment are aliases. It gets
// requests until the test ends.
func (s *dnsSite) stack(environment string, weight int64) *app {
	s.t.Helper()
	a, lb := s.app(environment), s.balancerOf(environment, elbtypes.LoadBalancerTypeEnumApplication)
	out, err := s.api.CreateListener(s.t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: lb.LoadBalancerArn, Protocol: elbtypes.ProtocolEnumHttp, Port: new(int32(80)), DefaultActions: forward(weights{a.group: 100}),
	})
	s.must(err)
	s.healthy(a.group)
	s.alias(environment, weight, targetOf(lb))
	url := "http://" + s.srv.ListenerAddr(*out.Listeners[0].ListenerArn)
	stop, stopped := make(chan struct{}), make(chan struct{})
	s.t.Cleanup(func() { close(stop); <-stopped })
	go func() {
		defer close(stopped)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if r, err := http.Get(url); err == nil { //nolint:noctx // the test ends it
				_ = r.Body.Close()
			}
		}
	}()
	return a
}

// usersGate is a target_metrics gate with one data point per second.
func usersGate(limit string) string {
	return gateBlock("users", `interval = "250ms"`, block("target_metrics", limit, `period = "1s"`, `lag = "500ms"`))
}

// The gate evaluates the load balancer behind the records of the new environment, so a bad version is rolled back.
func TestRecords_targetMetricsRollBack(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t, localaws.WithMetricsClock(time.Second, 500*time.Millisecond)), newWorkspace(t)
	s.stack("blue", 100)
	bad := s.stack("green", 0)
	w.write(s.release("blue").String())
	w.apply().ok()
	bad.status.Store(http.StatusInternalServerError)
	r := s.release("green")
	r.strategy, r.gates = `steps = [{ percent = 5, hold = "10m" }]`, usersGate("max_error_rate = 1\n worse_than_live_by = 0.5")
	w.write(r.String())
	w.plan().ok()
	out := w.applyPlan()
	if out.err == nil {
		t.Fatal("a bad version was shifted")
	}
	s.mustHaveAll("blue")
	rejected, _ := w.values()["rejected"].(map[string]any)
	if rejected["environment"] != "green" {
		t.Errorf("rejected is %v: %s", rejected, out.text())
	}
}

// The gate passes a good version on the metrics of the load balancer behind its records, at each step. The hold is
// the shortest that the TTL of an alias allows.
func TestRecords_targetMetricsPass(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t, localaws.WithMetricsClock(time.Second, 500*time.Millisecond)), newWorkspace(t)
	s.stack("blue", 100)
	s.stack("green", 0)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.strategy, r.gates = `steps = [{ percent = 50, hold = "1m" }]`, usersGate("max_error_rate = 1\n worse_than_live_by = 0.5")
	w.write(r.String())
	w.plan().ok()
	mark := len(s.srv.Calls())
	w.applyPlan().ok()
	s.mustHaveAll("green")
	read, last := 0, ""
	for _, call := range s.srv.Calls()[mark:] {
		switch call.Action {
		case "ChangeResourceRecordSets":
			if last == call.Action {
				t.Error("two steps without a read of metrics between them")
			}
			last = call.Action
		case "GetMetricData":
			read, last = read+1, call.Action
		}
	}
	if read < 2 {
		t.Errorf("metrics were read %d times for 2 steps", read)
	}
	w.isEmpty()
}

// Before a switch has the environment, no load balancer of it is known: nothing can be evaluated in its readiness check.
func TestRecords_targetMetricsOfReadiness(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	r := s.release("blue")
	w.write(strings.Replace(r.String(), "backed_by = []", "backed_by = []\n ready {\n"+gateBlock("users", block("target_metrics", "max_error_rate = 1"))+"\n}", 1))
	w.plan().failsAs("records")
}

// What keeps the gate from evaluating records is an error at plan, and at apply where it became so after the plan.
func TestRecords_targetMetricsErrors(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	r := s.release("blue")
	r.gates = gateBlock("users", block("target_metrics", "max_error_rate = 1"))
	w.write(r.String())
	one, two := s.balancerOf("one", elbtypes.LoadBalancerTypeEnumApplication), s.balancerOf("two", elbtypes.LoadBalancerTypeEnumApplication)
	network, other := s.balancerOf("network", elbtypes.LoadBalancerTypeEnumNetwork), s.balancerOf("other", elbtypes.LoadBalancerTypeEnumNetwork)
	names := []golden.Replacement{s.volatile()}
	for _, b := range []elbtypes.LoadBalancer{one, two, network, other} {
		arn := *b.LoadBalancerArn
		names = append(names, golden.Replace(arn[len(arn)-16:], "<id>"), golden.Replace(*b.DNSName, "<dns name>"))
	}
	plain := s.record(types.RRTypeA, "", 0)
	plain.SetIdentifier, plain.Weight, plain.Name = nil, nil, new("blue.example.com")
	six := s.record(types.RRTypeAaaa, "", 0)
	six.SetIdentifier, six.Weight, six.Name = nil, nil, new("blue.example.com")
	s.set(plain, six)
	for _, c := range []struct {
		name        string
		blue, green types.AliasTarget
	}{
		{"alias of a record", types.AliasTarget{HostedZoneId: &s.zone, DNSName: new("blue.example.com")}, targetOf(one)},
		{"one load balancer", targetOf(one), targetOf(one)},
		{"both types", targetOf(network), targetOf(one)},
		{"network load balancers", targetOf(network), targetOf(other)},
	} {
		s.alias("blue", 100, c.blue)
		s.alias("green", 0, c.green)
		w.plan().failsAs(c.name, names...)
	}
	gone := s.balancerOf("gone", elbtypes.LoadBalancerTypeEnumApplication)
	s.alias("green", 0, targetOf(gone))
	_, err := s.api.DeleteLoadBalancer(t.Context(), &elbv2.DeleteLoadBalancerInput{LoadBalancerArn: gone.LoadBalancerArn})
	s.must(err)
	s.alias("blue", 100, targetOf(one))
	w.plan().failsAs("not listed", append(names, golden.Replace(*gone.DNSName, "<dns name>"))...)

	s.alias("green", 0, targetOf(two))
	w.apply().ok()
	r.active, r.strategy = "green", `steps = [{ percent = 5, hold = "10m" }]`
	w.write(r.String())
	w.plan().ok()
	s.alias("green", 0, targetOf(one))
	w.applyPlan().failsAs("after the plan", names...)
	s.mustHaveAll("blue")
}
