package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// concurrentSwitches is -parallelism of Terraform: how many switches shift at the same time.
const concurrentSwitches = 50

// scaling is the measurement of many switches.
type scaling struct{ bench }

// fleet is a number of switches, each on a rule of its own.
type fleet struct {
	*rehearsal.Terraform
	balancer              *localaws.Server
	app                   *httptest.Server
	switches, perBalancer int
	client                *elbv2.Client
}

// scale counts the API calls of many switches on rules of few load balancers, for each number in -switches. It
// measures nothing without one: a thousand switches take half an hour.
func (b scaling) scale(ctx context.Context) ([]row, error) {
	if b.perBalancer < 1 || b.perBalancer > 100 {
		return nil, fmt.Errorf("-per-balancer: %d is not 1 to 100, the rules that a load balancer may have", b.perBalancer)
	}
	var rows []row
	for text := range strings.SplitSeq(b.switches, ",") {
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-switches: %q is not a number of switches", text)
		}
		more, err := b.scaleOf(ctx, n)
		if err != nil {
			return nil, fmt.Errorf("%d switches: %w", n, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b scaling) scaleOf(ctx context.Context, n int) ([]row, error) {
	f, err := b.newFleet(ctx, n)
	if err != nil {
		return nil, err
	}
	defer f.close()
	plan := n/20 + 60
	if b.balancersFor(n) == 1 {
		plan = 12
	}
	parallel := fmt.Sprintf("-parallelism=%d", concurrentSwitches)
	phases := []struct {
		name, active string
		args         []string
		most         int // calls; 0: no goal
	}{
		{"first apply", "blue", []string{"apply", "-no-color", "-auto-approve", parallel}, 0},
		{"plan without changes", "blue", []string{"plan", "-no-color", "-detailed-exitcode", parallel}, plan},
		{"plan of a shift of all", "green", []string{"plan", "-no-color", parallel}, 0},
		{"shift of all", "green", []string{"apply", "-no-color", "-auto-approve", parallel}, 4 * n},
	}
	var rows []row
	for _, p := range phases {
		before, began := len(f.balancer.Calls()), time.Now()
		var out bytes.Buffer
		memory := watchProvider()
		err := f.Run(&out, append(p.args, "-var", "active="+p.active)...)
		mb := float64(memory()) * 1024 / 1e6
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", p.name, err, out.String())
		}
		took := time.Since(began)
		calls, throttled := map[string]int{}, 0
		for _, c := range f.balancer.Calls()[before:] {
			calls[c.Action]++
			if strings.HasPrefix(c.ErrorCode, "Throttling") {
				throttled++
			}
		}
		total := sum(calls)
		r := row{what: fmt.Sprintf("%d switches on rules of %d load balancers, %s: API calls", n, b.balancersFor(n), p.name), goal: "counted",
			measured: fmt.Sprintf("%d in %.1f s, %d throttled, provider %.0f MB (%s)", total, took.Seconds(), throttled, mb, callsText(calls)), missed: throttled > 0 || mb >= 150}
		if p.most > 0 && n > 1 {
			r.goal, r.missed = fmt.Sprintf("at most %d, none throttled", p.most), r.missed || total > p.most
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", r.what, r.measured)
		rows = append(rows, r)
	}
	return rows, nil
}

func sum(calls map[string]int) int {
	total := 0
	for n := range maps.Values(calls) {
		total += n
	}
	return total
}

func (b scaling) balancersFor(switches int) int {
	return (switches + b.perBalancer - 1) / b.perBalancer
}

// newFleet creates the load balancers, and a configuration with a switch for each rule.
func (b scaling) newFleet(ctx context.Context, n int) (_ *fleet, err error) {
	binary, err := rehearsal.FindTerraform()
	if err != nil {
		return nil, err
	}
	config, err := rehearsal.BuildProvider(ctx, b.root, b.dir)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "scale-")
	if err != nil {
		return nil, err
	}
	f := &fleet{switches: n, perBalancer: b.perBalancer, app: httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))}
	options := []localaws.Option{localaws.WithEphemeralPorts(), localaws.WithFastHealth(500 * time.Millisecond), localaws.WithLogger(quiet())}
	if f.balancer, err = localaws.Start(options...); err != nil {
		f.app.Close()
		return nil, err
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	f.client = rehearsal.Client(f.balancer.URL())
	f.Terraform = rehearsal.NewTerraform(binary, config, f.balancer.URL(), dir)
	rules, err := f.create(ctx)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(rules)
	if err == nil {
		err = errors.Join(os.WriteFile(filepath.Join(dir, "rules.json"), text, 0o600), os.WriteFile(filepath.Join(dir, "main.tf"), []byte(fleetConfiguration), 0o600))
	}
	if err != nil {
		return nil, err
	}
	return f, f.Run(&bytes.Buffer{}, "init", "-no-color")
}

func (f *fleet) close() {
	_ = f.balancer.Close()
	f.app.Close()
}

const fleetConfiguration = `
terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

variable "active" { type = string }

resource "bluegreen_switch" "app" {
  for_each = jsondecode(file("${path.module}/rules.json"))
  load_balancer {
    routes = { web = [each.value.rule] }
  }
  environments = {
    blue  = { version = "1", target_groups = { web = each.value.blue } }
    green = { version = "2", target_groups = { web = each.value.green } }
  }
  active = var.active
  strategy {
    settle = "2s"
  }
  health {
    steady_for = "1s"
  }
}
`

// fleetRule is what the configuration knows of a rule.
type fleetRule struct {
	Rule  string `json:"rule"`
	Blue  string `json:"blue"`
	Green string `json:"green"`
}

// create creates load balancers with two target groups each, and rules that forward to the first.
func (f *fleet) create(ctx context.Context) (map[string]fleetRule, error) {
	rules := map[string]fleetRule{}
	for i := range (f.switches + f.perBalancer - 1) / f.perBalancer {
		b, err := f.createBalancer(ctx, i)
		if err != nil {
			return nil, err
		}
		for n := i * f.perBalancer; n < min((i+1)*f.perBalancer, f.switches); n++ {
			created, err := f.client.CreateRule(ctx, &elbv2.CreateRuleInput{
				ListenerArn: &b.listener, Priority: new(int32(n%f.perBalancer + 1)), Actions: forwardTo(b.blue),
				Conditions: []types.RuleCondition{{Field: new("path-pattern"), Values: []string{fmt.Sprintf("/%d", n)}}}})
			if err != nil {
				return nil, err
			}
			rules[fmt.Sprintf("app-%04d", n)] = fleetRule{Rule: aws.ToString(created.Rules[0].RuleArn), Blue: b.blue, Green: b.green}
		}
	}
	return rules, nil
}

// fleetBalancer is a load balancer with a listener that forwards to neither of its groups.
type fleetBalancer struct{ listener, blue, green string }

func (f *fleet) createBalancer(ctx context.Context, i int) (b fleetBalancer, err error) {
	created, err := f.client.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{
		Name: new(fmt.Sprintf("web-%d", i)), Subnets: []string{"subnet-0000000a", "subnet-0000000b"}})
	if err != nil {
		return b, err
	}
	listener, err := f.client.CreateListener(ctx, &elbv2.CreateListenerInput{
		LoadBalancerArn: created.LoadBalancers[0].LoadBalancerArn, Port: new(int32(80)), Protocol: types.ProtocolEnumHttp,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumFixedResponse, FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("404")}}}})
	if err != nil {
		return b, err
	}
	b.listener = aws.ToString(listener.Listeners[0].ListenerArn)
	if b.blue, err = f.createGroup(ctx, fmt.Sprintf("blue-%d", i)); err != nil {
		return b, err
	}
	b.green, err = f.createGroup(ctx, fmt.Sprintf("green-%d", i))
	return b, err
}

func (f *fleet) createGroup(ctx context.Context, name string) (string, error) {
	created, err := f.client.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
		Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), TargetType: types.TargetTypeEnumIp, VpcId: new("vpc-00000001"),
		HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2))})
	if err != nil {
		return "", err
	}
	group := created.TargetGroups[0].TargetGroupArn
	port, err := rehearsal.PortOf(f.app.Listener.Addr().String())
	if err != nil {
		return "", err
	}
	_, err = f.client.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: group,
		Targets: []types.TargetDescription{{Id: new("127.0.0.1"), Port: new(port)}}})
	return aws.ToString(group), err
}

func forwardTo(group string) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}}
}

// watchProvider samples the peak resident memory of the provider that Terraform runs, until stop is called. It is 0
// where there is no /proc.
func watchProvider() (stop func() (kib int)) {
	ended, peak := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		most := 0
		for {
			most = max(most, providerKiB())
			select {
			case <-tick.C:
			case <-ended:
				peak <- most
				return
			}
		}
	}()
	return func() int {
		close(ended)
		return <-peak
	}
}

// providerKiB is the peak memory of the largest provider that is a child of a terraform process of this program.
func providerKiB() int {
	most := 0
	for _, terraform := range childrenOf(os.Getpid()) {
		for _, provider := range childrenOf(terraform) {
			if kib, err := residentKiB(provider); err == nil {
				most = max(most, kib)
			}
		}
	}
	return most
}

func childrenOf(pid int) []int {
	var all []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				all = append(all, child)
			}
		}
	}
	return all
}
