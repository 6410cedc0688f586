package elbv2_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// noMetrics ignores everything that the data plane reports.
type noMetrics struct{}

func (noMetrics) Balancer(string) dataplane.BalancerMetrics   { return noMetrics{} }
func (noMetrics) Group(string, string) dataplane.GroupMetrics { return noMetrics{} }
func (noMetrics) Generated(int)                               {}
func (noMetrics) Request()                                    {}
func (noMetrics) ConnectionError()                            {}
func (noMetrics) Response(int, time.Duration)                 {}
func (noMetrics) Flow()                                       {}
func (noMetrics) Reset(dataplane.Peer)                        {}
func (noMetrics) Hosts(dataplane.HostCounts)                  {}

func newService(t *testing.T) *elbv2.Service {
	t.Helper()
	return newServiceWith(t, func(*elbv2.Options) {})
}

func newServiceWith(t *testing.T, change func(*elbv2.Options)) *elbv2.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(t.Context())
	plane, err := dataplane.New(ctx, dataplane.Options{Log: log, Metrics: noMetrics{}, EphemeralPorts: true})
	if err != nil {
		t.Fatal(err)
	}
	opts := elbv2.Options{Log: log, Account: "123456789012"}
	change(&opts)
	service := elbv2.New(plane, opts)
	t.Cleanup(func() {
		stop()
		service.Close()
		if err := plane.Close(); err != nil {
			t.Error(err)
		}
	})
	return service
}

// create returns a call that creates a target group.
func create(name string, effects faults.Effects) elbv2.Request {
	return elbv2.Request{Region: "us-east-1", Effects: effects, Params: url.Values{
		"Action": {"CreateTargetGroup"}, "Version": {"2015-12-01"}, "Name": {name}, "Protocol": {"HTTP"}, "Port": {"80"}, "VpcId": {"vpc-1"},
	}}
}

// exists reports whether a target group exists, in a read with the effects.
func exists(t *testing.T, s *elbv2.Service, name string, effects faults.Effects) bool {
	t.Helper()
	_, err := s.Run(elbv2.Request{Region: "us-east-1", Effects: effects, Params: url.Values{
		"Action": {"DescribeTargetGroups"}, "Version": {"2015-12-01"}, "Names.member.1": {name},
	}})
	if failure, ok := errors.AsType[*wire.Error](err); err != nil && (!ok || failure.Code != "TargetGroupNotFound") {
		t.Fatal(err)
	}
	return err == nil
}

func TestService_writes(t *testing.T) {
	s := newService(t)
	for action, want := range map[string]bool{"CreateRule": true, "DescribeRules": false} {
		if got, err := s.Writes(url.Values{"Action": {action}, "Version": {"2015-12-01"}}); got != want || err != nil {
			t.Errorf("%s: got %v, %v", action, got, err)
		}
	}
	_, err := s.Writes(url.Values{"Action": {"CreateTrustStore"}, "Version": {"2015-12-01"}})
	if want := "InvalidAction: Could not find operation CreateTrustStore for version 2015-12-01"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestService_lostWriteAndStaleRead(t *testing.T) {
	s := newService(t)
	for _, effects := range []faults.Effects{{Kind: faults.LostWrite}, {}} {
		if _, err := s.Run(create("blue", effects)); err != nil {
			t.Fatal(err)
		}
		if got, want := exists(t, s, "blue", faults.Effects{}), effects.Kind != faults.LostWrite; got != want {
			t.Errorf("after %q: exists = %v, want %v", effects.Kind, got, want)
		}
	}
	if exists(t, s, "blue", faults.Effects{Stale: true}) {
		t.Error("a stale read shows the latest write")
	}
}

func TestService_tagHistoryIsBounded(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	s := newServiceWith(t, func(o *elbv2.Options) { o.Now = func() time.Time { return now } })
	if _, err := s.Run(create("blue", faults.Effects{})); err != nil {
		t.Fatal(err)
	}
	tag := func(arn, value string) {
		_, err := s.Run(elbv2.Request{Region: "us-east-1", Params: url.Values{
			"Action": {"AddTags"}, "Version": {"2015-12-01"}, "ResourceArns.member.1": {arn}, "Tags.member.1.Key": {"n"}, "Tags.member.1.Value": {value},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	arn := groupARN(t, s, "blue")
	for i := range 1500 {
		now = now.Add(time.Second)
		tag(arn, strconv.Itoa(i))
		tag(arn, strconv.Itoa(i)) // changes nothing
	}
	for ago, want := range map[time.Duration]string{1: "1498", 10 * time.Second: "1489", 999 * time.Second: "500", 24 * time.Hour: "500"} {
		late := faults.NewSet([]string{"DescribeTags"})
		if _, err := late.Add(faults.Fault{Kind: faults.LateTags, Delay: ago}); err != nil {
			t.Fatal(err)
		}
		params := url.Values{"Action": {"DescribeTags"}, "Version": {"2015-12-01"}, "ResourceArns.member.1": {arn}}
		got, err := s.Run(elbv2.Request{Region: "us-east-1", Params: params, Effects: late.Match("DescribeTags", params, false)})
		if shown := fmt.Sprint(got); err != nil || !strings.Contains(shown, "{n "+want+"}") {
			t.Errorf("%s ago: got %s, %v, want %s", ago, shown, err, want)
		}
	}
}

// groupARN returns the ARN of a target group by its name.
func groupARN(t *testing.T, s *elbv2.Service, name string) string {
	t.Helper()
	got, err := s.Run(elbv2.Request{Region: "us-east-1", Params: url.Values{"Action": {"DescribeTargetGroups"}, "Version": {"2015-12-01"}, "Names.member.1": {name}}})
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`arn:\S+targetgroup/\S+?/[0-9a-f]{16}`).FindString(fmt.Sprintf("%+v", got))
}

func TestService_closedRejectsWrites(t *testing.T) {
	s := newService(t)
	s.Close()
	_, err := s.Run(create("blue", faults.Effects{}))
	if failure, ok := errors.AsType[*wire.Error](err); !ok || failure.Status != 503 {
		t.Errorf("got %v", err)
	}
	if exists(t, s, "blue", faults.Effects{}) {
		t.Error("the write has an effect")
	}
}
