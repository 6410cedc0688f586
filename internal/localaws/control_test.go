package localaws_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

func TestLoadBalancers_lifeCycle(t *testing.T) {
	b := newBench(t)
	arn := b.balancer("app")
	if again := b.balancer("app"); again != arn {
		t.Errorf("creating it again made another one: %s", again)
	}
	out, err := b.api.DescribeLoadBalancers(b.ctx(), &elb.DescribeLoadBalancersInput{Names: []string{"app"}})
	b.must(err)
	lb := out.LoadBalancers[0]
	if lb.Type != types.LoadBalancerTypeEnumApplication || lb.State.Code != types.LoadBalancerStateEnumActive || lb.CreatedTime == nil ||
		*lb.AvailabilityZones[0].ZoneName != "us-east-1a" || *lb.AvailabilityZones[1].ZoneName != "us-east-1b" {
		t.Errorf("got %+v", lb)
	}
	set := func(value string) {
		_, err := b.api.ModifyLoadBalancerAttributes(b.ctx(), &elb.ModifyLoadBalancerAttributesInput{
			LoadBalancerArn: &arn, Attributes: []types.LoadBalancerAttribute{{Key: aws.String("deletion_protection.enabled"), Value: &value}},
		})
		b.must(err)
	}
	set("true")
	_, err = b.api.DeleteLoadBalancer(b.ctx(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: &arn})
	if code(err) != "OperationNotPermitted" {
		t.Errorf("protected: got %v", err)
	}
	set("false")
	g := b.group("g")
	l := b.listener(arn, 80, forward(share{g, 1}))
	address := b.srv.ListenerAddr(l)
	for range 2 {
		_, err = b.api.DeleteLoadBalancer(b.ctx(), &elb.DeleteLoadBalancerInput{LoadBalancerArn: &arn})
		b.must(err)
	}
	if b.srv.ListenerAddr(l) != "" {
		t.Error("its listener is still there")
	}
	if resp, err := http.Get("http://" + address); err == nil {
		_ = resp.Body.Close()
		t.Error("its port still answers")
	}
	_, err = b.api.DeleteTargetGroup(b.ctx(), &elb.DeleteTargetGroupInput{TargetGroupArn: &g})
	b.must(err)
}

// Moto does the same: a listener that is modified changes nothing about its groups.
func TestTargetGroups_staleBalancers(t *testing.T) {
	b := newBench(t, localaws.WithStaleGroupBalancers())
	lb, first, later := b.balancer("app"), b.group("first"), b.group("later")
	listener := b.listener(lb, 80, forward(share{first, 1}))
	_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &listener, DefaultActions: forward(share{later, 1})})
	b.must(err)
	out, err := b.api.DescribeTargetGroups(b.ctx(), &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{first, later}})
	b.must(err)
	if got := out.TargetGroups; !slices.Equal(got[0].LoadBalancerArns, []string{lb}) || len(got[1].LoadBalancerArns) != 0 {
		t.Errorf("the load balancers are %q and %q", got[0].LoadBalancerArns, got[1].LoadBalancerArns)
	}
}

func TestTargetGroups_lifeCycle(t *testing.T) {
	b := newBench(t)
	g := b.group("g")
	if again := b.group("g"); again != g {
		t.Errorf("creating it again made another one")
	}
	_, err := b.api.ModifyTargetGroup(b.ctx(), &elb.ModifyTargetGroupInput{TargetGroupArn: &g, HealthCheckIntervalSeconds: aws.Int32(77)})
	b.must(err)
	out, err := b.api.DescribeTargetGroups(b.ctx(), &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{g}})
	b.must(err)
	got := out.TargetGroups[0]
	if *got.HealthCheckIntervalSeconds != 77 || *got.HealthCheckPath != "/health" || *got.HealthyThresholdCount != 2 || *got.Matcher.HttpCode != "200" || len(got.LoadBalancerArns) != 0 {
		t.Errorf("got %+v", got)
	}
	lb := b.balancer("app")
	b.listener(lb, 80, forward(share{g, 0}, share{b.group("other"), 1}))
	byLB, err := b.api.DescribeTargetGroups(b.ctx(), &elb.DescribeTargetGroupsInput{LoadBalancerArn: &lb})
	b.must(err)
	if len(byLB.TargetGroups) != 2 || byLB.TargetGroups[0].LoadBalancerArns[0] != lb {
		t.Errorf("got %+v", byLB.TargetGroups)
	}
	_, err = b.api.DeleteTargetGroup(b.ctx(), &elb.DeleteTargetGroupInput{TargetGroupArn: &g})
	if code(err) != "ResourceInUse" {
		t.Errorf("a group at weight 0 was deleted: %v", err)
	}
	b.attribute(g, "deregistration_delay.timeout_seconds", "7")
	attributes, err := b.api.DescribeTargetGroupAttributes(b.ctx(), &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &g})
	b.must(err)
	seen := map[string]string{}
	for _, a := range attributes.Attributes {
		seen[*a.Key] = *a.Value
	}
	if seen["deregistration_delay.timeout_seconds"] != "7" || seen["stickiness.enabled"] != "false" {
		t.Errorf("got %v", seen)
	}
}

func TestListeners_describeMatchesALB(t *testing.T) {
	b := newBench(t)
	one, two := b.group("one"), b.group("two")
	l := b.listener(b.balancer("app"), 80, []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &one}})
	show := func() types.Action {
		out, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: []string{l}})
		b.must(err)
		return out.Listeners[0].DefaultActions[0]
	}
	lone := show()
	if *lone.TargetGroupArn != one || len(lone.ForwardConfig.TargetGroups) != 1 || *lone.ForwardConfig.TargetGroups[0].Weight != 1 ||
		*lone.ForwardConfig.TargetGroupStickinessConfig.Enabled || lone.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds != nil {
		t.Errorf("lone group: %+v", lone.ForwardConfig)
	}
	b.modify(l, stickyForward(60, share{one, 30}, share{two, 70}))
	both := show()
	if both.TargetGroupArn != nil || b.weights(l)[one] != 30 || b.weights(l)[two] != 70 || *both.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds != 60 {
		t.Errorf("two groups: %+v", both.ForwardConfig)
	}
	_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &l, Port: aws.Int32(81)})
	b.must(err)
	if b.weights(l)[one] != 30 {
		t.Error("a change of the port changed the actions")
	}
}

func TestListeners_loneGroupWithoutWeight(t *testing.T) {
	b := newBench(t, localaws.WithoutLoneWeight())
	g := b.group("g", web(t, "g"))
	l := b.listener(b.balancer("app"), 80, forward(share{g, 100}))
	out, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: []string{l}})
	b.must(err)
	if w := out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups[0].Weight; w != nil {
		t.Errorf("got weight %d", *w)
	}
	if status, _ := b.get(l, "/"); status != 200 {
		t.Errorf("got %d", status)
	}
}

func TestListeners_oidcSecretIsStoredAndNeverReturned(t *testing.T) {
	b := newBench(t)
	l := b.secure(b.balancer("app"), gated(oidc("deny"), fixed("200", "in")))
	out, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: []string{l}})
	b.must(err)
	actions := out.Listeners[0].DefaultActions
	if cfg := actions[0].AuthenticateOidcConfig; cfg.ClientSecret != nil || cfg.UseExistingClientSecret != nil || *cfg.Scope != "openid" || *cfg.SessionTimeout != 604800 {
		t.Errorf("got %+v", cfg)
	}
	again := func() error {
		_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &l, DefaultActions: actions})
		return err
	}
	if err := again(); code(err) != "InvalidLoadBalancerAction" {
		t.Errorf("without any secret: got %v", err)
	}
	actions[0].AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
	b.must(again())
	actions[0].AuthenticateOidcConfig.ClientId = aws.String("other")
	if err := again(); code(err) != "InvalidLoadBalancerAction" {
		t.Errorf("no such secret: got %v", err)
	}
}

func TestRules_lifeCycle(t *testing.T) {
	b := newBench(t)
	l := b.listener(b.balancer("app"), 80, fixed("200", "default"))
	one, two := b.rule(l, 1, fixed("200", "one"), path("/a")), b.rule(l, 2, fixed("200", "two"), path("/a"))
	priorities := func() string {
		out, err := b.api.DescribeRules(b.ctx(), &elb.DescribeRulesInput{ListenerArn: &l})
		b.must(err)
		return strings.Join(slices.Collect(func(yield func(string) bool) {
			for _, r := range out.Rules {
				if !yield(*r.Priority + fmt.Sprint(*r.IsDefault)) {
					return
				}
			}
		}), " ")
	}
	if got := priorities(); got != "1false 2false defaulttrue" {
		t.Errorf("got %s", got)
	}
	_, err := b.api.SetRulePriorities(b.ctx(), &elb.SetRulePrioritiesInput{RulePriorities: []types.RulePriorityPair{
		{RuleArn: &one, Priority: aws.Int32(2)}, {RuleArn: &two, Priority: aws.Int32(1)},
	}})
	b.must(err)
	if _, body := b.get(l, "/a"); body != "two" {
		t.Errorf("after the swap got %s", body)
	}
	_, err = b.api.ModifyRule(b.ctx(), &elb.ModifyRuleInput{RuleArn: &two, Conditions: []types.RuleCondition{path("/b")}})
	b.must(err)
	if _, body := b.get(l, "/a"); body != "one" {
		t.Errorf("after the change of conditions got %s", body)
	}
	if _, body := b.get(l, "/b"); body != "two" {
		t.Errorf("the change of conditions changed the actions: %s", body)
	}
	_, err = b.api.DeleteRule(b.ctx(), &elb.DeleteRuleInput{RuleArn: &two})
	b.must(err)
	if _, body := b.get(l, "/b"); body != "default" {
		t.Errorf("after the deletion got %s", body)
	}
}

func TestTags(t *testing.T) {
	b := newBench(t)
	g := b.group("g")
	_, err := b.api.AddTags(b.ctx(), &elb.AddTagsInput{ResourceArns: []string{g}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	b.must(err)
	_, err = b.api.AddTags(b.ctx(), &elb.AddTagsInput{ResourceArns: []string{g}, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("3")}}})
	b.must(err)
	_, err = b.api.RemoveTags(b.ctx(), &elb.RemoveTagsInput{ResourceArns: []string{g}, TagKeys: []string{"b"}})
	b.must(err)
	out, err := b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: []string{g}})
	b.must(err)
	if tags := out.TagDescriptions[0].Tags; len(tags) != 1 || *tags[0].Key != "a" || *tags[0].Value != "3" {
		t.Errorf("got %+v", tags)
	}
}

func TestPages(t *testing.T) {
	b := newBench(t)
	lb := b.balancer("app")
	for port := range int32(5) {
		b.listener(lb, port+1, fixed("200", "x"))
	}
	pages := elb.NewDescribeListenersPaginator(b.api, &elb.DescribeListenersInput{LoadBalancerArn: &lb, PageSize: aws.Int32(2)})
	sizes := []int{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.ctx())
		b.must(err)
		sizes = append(sizes, len(page.Listeners))
	}
	if fmt.Sprint(sizes) != "[2 2 1]" {
		t.Errorf("got %v", sizes)
	}
}

func TestRegions_areSeparate(t *testing.T) {
	b := newBench(t)
	g := b.group("g")
	elsewhere := elb.New(b.api.Options(), func(o *elb.Options) { o.Region = "eu-west-1" })
	_, err := elsewhere.DescribeTargetGroups(b.ctx(), &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{g}})
	if code(err) != "TargetGroupNotFound" {
		t.Errorf("got %v", err)
	}
}

func TestAPI_requiresASignatureAndAKnownAction(t *testing.T) {
	b := newBench(t)
	post := func(body string, change func(*http.Request)) string {
		req, err := http.NewRequestWithContext(b.ctx(), http.MethodPost, b.srv.URL(), strings.NewReader(body))
		b.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(req)
		resp, err := b.web.Do(req)
		b.must(err)
		defer func() { _ = resp.Body.Close() }()
		buf := make([]byte, 4096)
		n, _ := resp.Body.Read(buf)
		return fmt.Sprint(resp.StatusCode, " ", string(buf[:n]))
	}
	bare := func(*http.Request) {}
	signed := func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") }
	if got := post("Action=DescribeTags&Version=2015-12-01", bare); !strings.HasPrefix(got, "403 ") || !strings.Contains(got, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("got %s", got)
	}
	if got := post("Action=MakeCoffee&Version=2015-12-01", signed); !strings.HasPrefix(got, "400 ") || !strings.Contains(got, "<Code>InvalidAction</Code>") {
		t.Errorf("got %s", got)
	}
	if got := post("Action=GetCallerIdentity&Version=2011-06-15", signed); !strings.Contains(got, "<Account>123456789012</Account>") {
		t.Errorf("got %s", got)
	}
}

// TestCommandLine uses the AWS CLI.
func TestCommandLine(t *testing.T) {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the AWS command line is not on PATH: install it to run this test")
	}
	b := newBench(t)
	aws := func(args ...string) string {
		cmd := exec.CommandContext(b.ctx(), "aws", append([]string{"elbv2", "--output", "text"}, args...)...)
		none := filepath.Join(t.TempDir(), "none")
		cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2="+b.srv.URL(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
			"AWS_DEFAULT_REGION=eu-central-1", "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none, "AWS_PAGER=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	lb := aws("create-load-balancer", "--name", "app", "--subnets", "subnet-1", "subnet-2", "--query", "LoadBalancers[0].LoadBalancerArn")
	group := func(name string) string {
		return aws("create-target-group", "--name", name, "--protocol", "HTTP", "--port", "80", "--vpc-id", "vpc-1", "--target-type", "ip", "--query", "TargetGroups[0].TargetGroupArn")
	}
	blue, green := group("blue"), group("green")
	_, port, _ := strings.Cut(web(t, "green"), ":")
	aws("register-targets", "--target-group-arn", green, "--targets", "Id=127.0.0.1,Port="+port)
	l := aws("create-listener", "--load-balancer-arn", lb, "--protocol", "HTTP", "--port", "80", "--default-actions", "Type=forward,TargetGroupArn="+blue, "--query", "Listeners[0].ListenerArn")
	aws("modify-listener", "--listener-arn", l, "--default-actions", fmt.Sprintf(
		`[{"Type":"forward","ForwardConfig":{"TargetGroups":[{"TargetGroupArn":%q,"Weight":0},{"TargetGroupArn":%q,"Weight":100}]}}]`, blue, green))
	got := aws("describe-listeners", "--load-balancer-arn", lb, "--query", "sum(Listeners[].DefaultActions[].ForwardConfig.TargetGroups[].Weight)")
	if got != "100" {
		t.Errorf("describe-listeners: %s", got)
	}
	if got := aws("describe-target-health", "--target-group-arn", blue, "--query", "TargetHealthDescriptions"); got != "" {
		t.Errorf("describe-target-health: %s", got)
	}
	if _, body := b.get(l, "/"); body != "green" {
		t.Errorf("got %s", body)
	}
}
