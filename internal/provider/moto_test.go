package provider_test

import (
	"bufio"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// startMoto runs moto_server on a free port for the length of the test, and returns its URL.
func startMoto(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto_server is not on PATH; pip install 'moto[server]' brings it")
	}
	cmd := exec.CommandContext(t.Context(), program, "-H", "127.0.0.1", "-p", "0")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	running, found := regexp.MustCompile(`Running on (http://\S+)`), make(chan string, 1)
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
	case at := <-found:
		if at == "" {
			t.Fatal("moto_server ended before it served")
		}
		return at
	case <-time.After(slow.Deadline(time.Minute)):
		t.Fatal("moto_server does not say where it listens")
	}
	return ""
}

// motoSubnets returns two of moto's initial subnets, and their VPC.
func motoSubnets(b *bench, at string) (subnets []string, vpc string) {
	b.t.Helper()
	form := url.Values{"Action": {"DescribeSubnets"}, "Version": {"2016-11-15"}}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, at, strings.NewReader(form.Encode()))
	b.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20250101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	b.must(err)
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Subnets []struct {
			ID  string `xml:"subnetId"`
			VPC string `xml:"vpcId"`
		} `xml:"subnetSet>item"`
	}
	b.must(xml.NewDecoder(res.Body).Decode(&answer))
	if len(answer.Subnets) < 2 {
		b.t.Fatalf("moto has the subnets %v", answer.Subnets)
	}
	return []string{answer.Subnets[0].ID, answer.Subnets[1].ID}, answer.Subnets[0].VPC
}

// motoSite is a site at moto, with a listener that forwards to blue.
func motoSite(t *testing.T, at string) *site {
	t.Helper()
	b := &bench{t: t, api: elbv2.New(elbv2.Options{Region: "us-east-1", BaseEndpoint: &at,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")})}
	subnets, vpc := motoSubnets(b, at)
	s := &site{bench: b, blue: &app{}, green: &app{}}
	for name, a := range map[string]*app{"app-blue": s.blue, "app-green": s.green} {
		out, err := b.api.CreateTargetGroup(t.Context(), &elbv2.CreateTargetGroupInput{
			Name: &name, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), VpcId: &vpc, TargetType: types.TargetTypeEnumIp})
		b.must(err)
		a.group = aws.ToString(out.TargetGroups[0].TargetGroupArn)
		_, err = b.api.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{
			TargetGroupArn: &a.group, Targets: []types.TargetDescription{{Id: new("10.0.0.1"), Port: new(int32(80))}}})
		b.must(err)
	}
	balancer, err := b.api.CreateLoadBalancer(t.Context(), &elbv2.CreateLoadBalancerInput{Name: new("web"), Subnets: subnets})
	b.must(err)
	made, err := b.api.CreateListener(t.Context(), &elbv2.CreateListenerInput{
		LoadBalancerArn: balancer.LoadBalancers[0].LoadBalancerArn, Protocol: types.ProtocolEnumHttp, Port: new(int32(80)),
		DefaultActions: forward(weights{s.blue.group: 100})})
	b.must(err)
	s.listener = aws.ToString(made.Listeners[0].ListenerArn)
	return s
}

// Moto sets LoadBalancerArns of a target group where a listener is created, and not where it is modified.
func TestEnvironment_againstMoto(t *testing.T) {
	t.Parallel()
	at := startMoto(t)
	s, w := motoSite(t, at), newWorkspace(t)
	apply := func(config string) run {
		w.write(settingsAt(at, "") + config)
		return w.apply()
	}
	const life = "create_before_destroy = true"
	apply(s.pair(`"blue", "green"`, "blue", life)).ok()
	apply(s.pair(`"blue", "green"`, "green", life)).ok()
	s.want("app-blue 0, app-green 100")
	r := apply("")
	s.wantRefused(w, r)
	s.wantRefused(w, apply(""))
}
