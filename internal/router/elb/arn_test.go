package elb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

const (
	prefix   = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
	balancer = prefix + "loadbalancer/app/web/50dc6c495c0c9188"
	listener = prefix + "listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	rule     = prefix + "listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
	blue     = prefix + "targetgroup/blue/73e2d6bc24d8a067"
	green    = prefix + "targetgroup/green/1234567890123456"
)

func TestParse(t *testing.T) {
	tests := []struct {
		arn, display, name, suffix string
		kind                       elb.Kind
		of                         elb.BalancerType
	}{
		{listener, "listener app/web/50dc6c495c0c9188/f2f7dc8efc522ab2", "web", "app/web/50dc6c495c0c9188/f2f7dc8efc522ab2", elb.Listener, elb.Application},
		{rule, "listener rule app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee", "web", "app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee", elb.Rule, elb.Application},
		{balancer, "load balancer app/web/50dc6c495c0c9188", "web", "app/web/50dc6c495c0c9188", elb.LoadBalancer, elb.Application},
		{blue, "target group blue", "blue", "targetgroup/blue/73e2d6bc24d8a067", elb.TargetGroup, ""},
		{prefix + "loadbalancer/old", "load balancer old", "old", "old", elb.LoadBalancer, elb.Classic},
		{prefix + "listener/net/tcp/1/2", "listener net/tcp/1/2", "tcp", "net/tcp/1/2", elb.Listener, elb.Network},
		{prefix + "loadbalancer/gwy/fw/1", "load balancer gwy/fw/1", "fw", "gwy/fw/1", elb.LoadBalancer, elb.Gateway},
	}
	for _, tt := range tests {
		a, err := elb.Parse(tt.arn)
		if err != nil {
			t.Errorf("Parse(%q) returned %v", tt.arn, err)
			continue
		}
		want := elb.ARN{
			Partition: "aws", Region: "eu-central-1", Account: "123456789012",
			Kind: tt.kind, Type: tt.of, Name: tt.name, Suffix: tt.suffix,
		}
		if a != want || a.String() != tt.arn || a.Display() != tt.display {
			t.Errorf("Parse(%q) = %+v, %q, %q", tt.arn, a, a.String(), a.Display())
		}
	}
}

func TestParse_partitions(t *testing.T) {
	for partition, region := range map[string]string{"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-iso-b": "us-isob-east-1"} {
		arn := strings.NewReplacer(":aws:", ":"+partition+":", "eu-central-1", region).Replace(listener)
		if a, err := elb.Parse(arn); err != nil || a.Partition != partition || a.Region != region {
			t.Errorf("Parse(%q) = %+v, %v", arn, a, err)
		}
	}
}

func TestParse_refusesOtherText(t *testing.T) {
	for _, text := range []string{
		"", "web", "arn:aws:s3:::bucket",
		strings.TrimPrefix(listener, "arn:"),
		listener + " ", " " + listener, listener + "\n", listener + "/", listener + "/a/b",
		strings.Replace(listener, "123456789012", "12345", 1),
		strings.Replace(listener, "eu-central-1", "", 1),
		strings.Replace(listener, "eu-central-1", "evil.example.com/", 1),
		strings.Replace(listener, "/app/", "/oth/", 1),
		strings.Replace(listener, "/app/web", "/app", 1),
		strings.Replace(listener, "/web/", "//", 1),
		prefix + "targetgroup/blue", prefix + "truststore/a/b", prefix + "loadbalancer/app/web",
	} {
		if a, err := elb.Parse(text); !errors.Is(err, elb.ErrMalformed) {
			t.Errorf("Parse(%q) = %+v, %v", text, a, err)
		}
	}
}

func TestParseRoute(t *testing.T) {
	for arn, want := range map[string]error{
		listener: nil,
		rule:     nil,
		balancer: elb.ErrWrongKind,
		blue:     elb.ErrWrongKind,
		"web":    elb.ErrMalformed,
		strings.Replace(listener, "/app/", "/net/", 1): nil,
		strings.Replace(rule, "/app/", "/net/", 1):     elb.ErrNotRoutable,
		strings.Replace(listener, "/app/", "/gwy/", 1): elb.ErrNotRoutable,
		strings.Replace(rule, "/app/", "/gwy/", 1):     elb.ErrNotRoutable,
	} {
		if _, err := elb.ParseRoute(arn); !errors.Is(err, want) {
			t.Errorf("ParseRoute(%q) returned %v, want %v", arn, err, want)
		}
	}
	_, err := elb.ParseRoute(strings.Replace(rule, "/app/", "/net/", 1))
	golden.Record(t, fmt.Sprint(err))
	a, err := elb.ParseRoute(blue)
	if a.Kind != elb.TargetGroup {
		t.Errorf("it is a %s", a.Kind)
	}
	golden.Record(t, fmt.Sprint(err))
}

func TestParseGroup(t *testing.T) {
	for arn, want := range map[string]error{blue: nil, listener: elb.ErrWrongKind, "": elb.ErrMalformed} {
		if _, err := elb.ParseGroup(arn); !errors.Is(err, want) {
			t.Errorf("ParseGroup(%q) returned %v, want %v", arn, err, want)
		}
	}
}

func TestARN_parents(t *testing.T) {
	for _, tt := range []struct{ arn, listener, balancer string }{
		{rule, listener, balancer},
		{listener, listener, balancer},
		{balancer, "", balancer},
		{blue, "", ""},
	} {
		a, err := elb.Parse(tt.arn)
		if err != nil {
			t.Fatal(err)
		}
		l, isIn := a.Listener()
		if isIn != (tt.listener != "") || isIn && l.String() != tt.listener {
			t.Errorf("the listener of %s is %v, %v", tt.arn, l, isIn)
		}
		b, isOf := a.LoadBalancer()
		if isOf != (tt.balancer != "") || isOf && b.String() != tt.balancer {
			t.Errorf("the load balancer of %s is %v, %v", tt.arn, b, isOf)
		}
		if again, err := elb.Parse(b.String()); isOf && (err != nil || again != b) {
			t.Errorf("%v is not what its text parses to: %v, %v", b, again, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{listener, rule, balancer, blue, prefix + "loadbalancer/old", "arn:aws:s3:::bucket", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := elb.Parse(text)
		if err != nil {
			if !errors.Is(err, elb.ErrMalformed) {
				t.Errorf("Parse(%q) returned %v", text, err)
			}
			return
		}
		if a.String() != text || a.Kind == "" || a.Name == "" || a.Region == "" || (a.Type == "") != (a.Kind == elb.TargetGroup) {
			t.Errorf("Parse(%q) = %+v", text, a)
		}
		if l, ok := a.Listener(); ok {
			if again, err := elb.Parse(l.String()); err != nil || again != l || again.Kind != elb.Listener {
				t.Errorf("the listener of %q is %q: %v", text, l, err)
			}
		}
		if b, ok := a.LoadBalancer(); ok {
			if again, err := elb.Parse(b.String()); err != nil || again != b || again.Kind != elb.LoadBalancer {
				t.Errorf("the load balancer of %q is %q: %v", text, b, err)
			}
		}
	})
}
