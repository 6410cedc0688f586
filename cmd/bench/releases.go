package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// Slow requests are in flight in the old environment when the traffic leaves it.
const (
	slowPath = "/?for=2s"
	slowRate = 15
)

// project is examples/one-apply-release with its own load balancer.
type project struct {
	*rehearsal.Example
	balancer *localaws.Server
	url      string
}

// newProject copies an example and makes its first apply. The caller closes it, even
// after an error.
func (b bench) newProject(ctx context.Context, name string) (*project, error) {
	p := &project{}
	binary, err := rehearsal.FindTerraform()
	if err != nil {
		return p, err
	}
	config, err := rehearsal.BuildProvider(ctx, b.root, b.dir)
	if err != nil {
		return p, err
	}
	bin, err := rehearsal.BuildLocalapp(ctx, b.root, b.dir)
	if err != nil {
		return p, err
	}
	dir, err := os.MkdirTemp(b.dir, "example-")
	if err != nil {
		return p, err
	}
	p.balancer, err = localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(200*time.Millisecond),
		localaws.WithManagement("127.0.0.1:0"), localaws.WithLogger(quiet()))
	if err != nil {
		return p, err
	}
	p.Example, err = rehearsal.NewExample(rehearsal.ExampleTerms{Binary: binary, CLIConfig: config, Localapp: bin,
		Sources: []string{filepath.Join(b.root, "examples")}, Name: name, Dir: dir,
		Endpoint: p.balancer.URL(), Management: p.balancer.ManagementURL(),
		Pace: rehearsal.ExamplePace{Hold: "1s", Settle: "500ms", SteadyFor: "500ms", Drain: "3s", Interval: "250ms"}})
	if err != nil {
		return p, err
	}
	if err := p.Init(); err != nil {
		return p, err
	}
	if err := p.apply(); err != nil {
		return p, err
	}
	return p, p.Output("url", &p.url)
}

func (p *project) apply() error {
	var out bytes.Buffer
	if err := p.Apply(&out); err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	return nil
}

func (p *project) close() {
	if p.Example != nil {
		_ = p.Close()
	}
	if p.balancer != nil {
		_ = p.balancer.Close()
	}
}

var errStillRuns = errors.New("a process of the old version still runs after the apply")

// releases creates, shifts, drains and destroys in one apply repeatedly, while requests are
// in flight that take longer than a step.
func (b bench) releases(ctx context.Context) ([]row, error) {
	p, err := b.newProject(ctx, "one-apply-release")
	defer p.close()
	if err != nil {
		return nil, err
	}
	var lost, requests, slow int
	var took time.Duration
	var first string
	idle := "green"
	for n := range b.runs {
		users, long, seconds, err := b.oneRelease(ctx, p, idle, n+2)
		if err != nil {
			return nil, err
		}
		lost, requests, slow, took = lost+users.Lost+long.Lost, requests+users.Requests, slow+long.Requests, took+seconds
		for _, why := range []string{first, users.FirstLost, long.FirstLost} {
			if why != "" {
				first = why
				break
			}
		}
		if idle == "green" {
			idle = "blue"
		} else {
			idle = "green"
		}
	}
	rate := float64(requests) / took.Seconds()
	measured := fmt.Sprintf("%d of %d, at %.0f requests/s; %d of them took 2 s; every old process ended", lost, requests+slow, rate, slow)
	if first != "" {
		measured += ", the first: " + first
	}
	return []row{{what: fmt.Sprintf("requests lost in %d one-apply releases: new instances created, traffic shifted (5 %%, 50 %%, 100 %%), old environment drained and destroyed in the same apply, with requests of 2 s in flight", b.runs),
		goal: "0 at 500 requests/s or more", measured: measured, missed: lost > 0 || rate < 500}}, nil
}

// oneRelease is one edit and one apply under load.
func (b bench) oneRelease(ctx context.Context, p *project, to string, version int) (users, slow rehearsal.Counts, took time.Duration, err error) {
	before, err := rehearsal.PIDs(p.Site())
	if err != nil {
		return users, slow, 0, err
	}
	err = p.Set(map[string]any{"active": to, "releases": map[string]string{to: fmt.Sprint(version)}})
	if err != nil {
		return users, slow, 0, err
	}
	long := rehearsal.StartLoad(rehearsal.LoadTerms{URL: p.url + slowPath, Rate: slowRate, Clients: 4 * slowRate})
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: p.url, Rate: b.rate, Clients: 32})
	began := time.Now()
	err = p.apply()
	for _, pids := range before {
		if slices.ContainsFunc(pids, proc.Running) {
			err = errors.Join(err, errStillRuns)
		}
	}
	// What happens after the old version has ended counts too.
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	took = time.Since(began)
	return load.Stop(), long.Stop(), took, err
}

const (
	environments = 5   // environments on one load balancer
	testRules    = 95  // other rules: the maximum per load balancer, together
	rulesPage    = 400 // maximum rules per DescribeRules response
)

// traffic counts the calls that determine whether an environment carries traffic, for one
// environment and for all of a load balancer, as in a run of Terraform.
func (b bench) traffic(ctx context.Context) ([]row, error) {
	balancer, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(quiet()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = balancer.Close() }()
	names := []string{"blue", "green", "red", "amber", "grey"}[:environments]
	stage, err := rehearsal.NewStack(ctx, balancer.URL(), 80, names...)
	if err != nil {
		return nil, err
	}
	if err := manyRules(ctx, balancer, stage); err != nil {
		return nil, err
	}
	one, err := asked(ctx, balancer, stage, names[:1])
	if err != nil {
		return nil, err
	}
	all, err := asked(ctx, balancer, stage, names)
	if err != nil {
		return nil, err
	}
	const most = 3 + (testRules+environments+rulesPage-1)/rulesPage
	return []row{{what: fmt.Sprintf("calls to determine whether an environment carries traffic, one listener with %d rules: one environment; %d environments in one run", testRules+environments, environments),
		goal:     fmt.Sprintf("at most 3 + ceil(rules/page) = %d for one, shared by several", most),
		measured: fmt.Sprintf("%d; %d", one, all), missed: one > most || all > most}}, nil
}

// manyRules adds rules up to the limit.
func manyRules(ctx context.Context, balancer *localaws.Server, stage *rehearsal.Stack) error {
	client := rehearsal.Client(balancer.URL())
	for n := range int32(testRules) {
		_, err := client.CreateRule(ctx, &elbv2.CreateRuleInput{ListenerArn: aws.String(stage.Listener), Priority: aws.Int32(100 + n),
			Actions:    []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String(stage.Groups["blue"])}},
			Conditions: []types.RuleCondition{{Field: aws.String("path-pattern"), Values: []string{fmt.Sprintf("/%d/*", n)}}}})
		if err != nil {
			return err
		}
	}
	return nil
}

// asked counts the calls while all environments read at the same time.
func asked(ctx context.Context, balancer *localaws.Server, stage *rehearsal.Stack, names []string) (int, error) {
	forward, _ := elb.NewRouters(aws.Config{
		Region: rehearsal.Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")},
		elb.Options{Endpoint: balancer.URL()})
	reader := elb.NewReader(forward)
	before := len(balancer.Calls())
	failures := make(chan error, len(names))
	for _, name := range names {
		go func() {
			_, err := reader.References(ctx, []string{stage.Groups[name]})
			failures <- err
		}()
	}
	var all []error
	for range names {
		all = append(all, <-failures)
	}
	return len(balancer.Calls()) - before, errors.Join(all...)
}
