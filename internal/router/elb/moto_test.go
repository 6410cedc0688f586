package elb_test

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// TestRouter_againstMoto uses an independent implementation of the API, to find
// errors that the router and localaws share. It needs moto_server
// (pip install 'moto[server]') on PATH.
func TestRouter_againstMoto(t *testing.T) {
	url := startMoto(t)
	api := client(url, "us-east-1")
	forward, rollback := elb.NewRouters(config(), elb.Options{Endpoint: url})

	var groups []string
	for _, name := range []string{"blue", "green"} {
		out, err := api.CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{
			Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), TargetType: types.TargetTypeEnumIp, VpcId: new(defaultVPC(t, url)),
		})
		must(t, err)
		groups = append(groups, *out.TargetGroups[0].TargetGroupArn)
	}
	listener, rule := motoRoutes(t, api, url, groups[0])

	for _, route := range []string{listener, rule} {
		s := read(t, forward, route)
		if len(s.Weights) != 1 || s.Weights[groups[0]] == 0 {
			t.Fatalf("%s reads as %+v", route, s)
		}
		for _, weights := range []map[string]int{{groups[0]: 95, groups[1]: 5}, {groups[0]: 0, groups[1]: 100}, {groups[1]: 100}} {
			s.Weights = weights
			must(t, rollback.Write(t.Context(), route, s))
			if got := read(t, forward, route); !got.Equal(s) {
				t.Errorf("%s was set to %v and reads as %v", route, weights, got.Weights)
			}
		}
	}
	idle := fixedListener(t, api, listener)
	if s := read(t, forward, idle); s.Response != "fixed response 503" || !s.FixedError {
		t.Errorf("a listener with a fixed 503 reads as %+v", s)
	}
	for _, route := range []string{listener, rule} {
		if _, err := forward.Read(t.Context(), []string{route, absent(route)}); !errors.Is(err, traffic.ErrNotFound) {
			t.Errorf("Read of a missing route returned %v", err)
		}
	}
	must(t, forward.CheckGroups(t.Context(), traffic.Entry{Routes: []string{listener}, Groups: groups[1:]}))
	if found, err := forward.Health(t.Context(), groups); err != nil || len(found) != 2 {
		t.Errorf("Health returned %v, %v", found, err)
	}
	if others, err := forward.OtherRoutes(t.Context(), []string{listener}, groups[1:]); err != nil || len(others) != 1 || others[0].Route != rule {
		t.Errorf("Elsewhere returned %v, %v", others, err)
	}
}

// motoRoutes creates a load balancer with a listener and a rule that forward to a
// group.
func motoRoutes(t *testing.T, api *elbv2.Client, url, group string) (listener, rule string) {
	t.Helper()
	balancer, err := api.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{Name: new("web"), Subnets: subnets(t, url)[:2]})
	must(t, err)
	made, err := api.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)),
		DefaultActions: []types.Action{toOne(group)},
	})
	must(t, err)
	listener = *made.Listeners[0].ListenerArn
	out, err := api.CreateRule(t.Context(), &elbv2.CreateRuleInput{
		ListenerArn: &listener, Priority: new(int32(10)), Actions: []types.Action{to(map[string]int32{group: 1})},
		Conditions: []types.RuleCondition{{Field: new("path-pattern"), Values: []string{"/api/*"}}},
	})
	must(t, err)
	return listener, *out.Rules[0].RuleArn
}

func fixedListener(t *testing.T, api *elbv2.Client, beside string) string {
	t.Helper()
	arn, err := elb.ParseRoute(beside)
	must(t, err)
	balancer, _ := arn.LoadBalancer()
	made, err := api.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: new(balancer.String()), Protocol: types.ProtocolEnumHttp, Port: new(int32(8080)), DefaultActions: []types.Action{fixed("503")},
	})
	must(t, err)
	return *made.Listeners[0].ListenerArn
}

// startMoto runs moto_server on a free port for the length of the test.
func startMoto(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not on PATH; pip install 'moto[server]' brings it")
	}
	cmd := exec.CommandContext(t.Context(), path, "-H", "127.0.0.1", "-p", "0")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	running := regexp.MustCompile(`Running on (http://\S+)`)
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := running.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
				_, _ = io.Copy(io.Discard, out)
				return
			}
		}
	}()
	select {
	case url, ok := <-found:
		if !ok {
			t.Fatal("moto_server ended before it served")
		}
		return url
	case <-time.After(slow.Deadline(time.Minute)):
		t.Fatal("moto_server does not say where it listens")
		return ""
	}
}

type subnet struct {
	ID  string `xml:"subnetId"`
	VPC string `xml:"vpcId"`
}

func subnets(t *testing.T, url string) []string {
	t.Helper()
	var ids []string
	for _, s := range describeSubnets(t, url) {
		ids = append(ids, s.ID)
	}
	return ids
}

func defaultVPC(t *testing.T, url string) string {
	t.Helper()
	return describeSubnets(t, url)[0].VPC
}

// describeSubnets returns moto's initial subnets. Moto takes the service from the
// signature without checking it.
func describeSubnets(t *testing.T, to string) []subnet {
	t.Helper()
	form := url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20250101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Subnets []subnet `xml:"subnetSet>item"`
	}
	must(t, xml.NewDecoder(res.Body).Decode(&answer))
	if len(answer.Subnets) < 2 {
		t.Fatalf("moto has the subnets %v", answer.Subnets)
	}
	return answer.Subnets
}
