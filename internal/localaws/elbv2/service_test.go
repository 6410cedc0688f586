package elbv2_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
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
func (noMetrics) Hosts(dataplane.HostCounts)                  {}

func newService(t *testing.T) *elbv2.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(t.Context())
	plane, err := dataplane.New(ctx, dataplane.Options{Log: log, Metrics: noMetrics{}, EphemeralPorts: true})
	if err != nil {
		t.Fatal(err)
	}
	service := elbv2.New(plane, elbv2.Options{Log: log, Account: "123456789012"})
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
