package lambda_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A version is healthy once it is active and its provisioned concurrency is ready.
func TestRouter_health(t *testing.T) {
	s := newSite(t, 2, localaws.WithFunctionDelays(time.Hour, time.Hour))
	want := func(when string, state traffic.TargetState, reason string) {
		t.Helper()
		health, err := s.forward.Health(t.Context(), []string{version(2)})
		must(t, err)
		if got := health[version(2)].Targets; !slices.Equal(got, []traffic.Target{{ID: "shop:2", State: state, Reason: reason, Function: true}}) {
			t.Errorf("%s: %v", when, got)
		}
	}
	want("while it is created", traffic.Initial, "Creating")
	s.srv.Lambda().SetVersionStatus(version(2), "", "")
	want("active", traffic.Healthy, "")
	s.provision("2")
	want("while concurrency is provisioned", traffic.Initial, "ProvisionedConcurrency.InProgress")
	s.srv.Lambda().FinishProvisioning(version(2), "")
	want("provisioned", traffic.Healthy, "")
	s.provision("2")
	s.srv.Lambda().FinishProvisioning(version(2), "FUNCTION_ERROR_INIT_FAILURE")
	want("without concurrency", traffic.Unhealthy, "ProvisionedConcurrency.Failed")
	s.srv.Lambda().SetVersionStatus(version(2), "ImageDeleted", "The image is gone.")
	want("failed", traffic.Unhealthy, "Failed.ImageDeleted")

	_, err := s.forward.Health(t.Context(), []string{version(2), version(9)})
	if id, ok := traffic.Missing(err); !ok || id != version(9) {
		t.Errorf("a missing version: %v", err)
	}
}

// entry is the entry point web with the alias live.
func entry(groups ...string) traffic.Entry {
	return traffic.Entry{Name: "web", Routes: []string{live}, Groups: groups}
}

func TestRouter_checkGroups(t *testing.T) {
	s := newSite(t, 2)
	s.function("cart", 1)
	must(t, s.forward.CheckGroups(t.Context(), entry(version(1), version(2))))

	_, err := s.api.UpdateFunctionConfiguration(t.Context(), &api.UpdateFunctionConfigurationInput{FunctionName: aws.String("shop"), Role: aws.String("arn:aws:iam::123456789012:role/other")})
	must(t, err)
	_, err = s.api.PublishVersion(t.Context(), &api.PublishVersionInput{FunctionName: aws.String("shop")})
	must(t, err)
	var texts []string
	for _, c := range []struct {
		groups []string
		want   error
	}{
		{[]string{version(1), version(9)}, traffic.ErrNotFound},
		{[]string{version(1), "arn:aws:lambda:eu-central-1:123456789012:function:cart:1"}, lambda.ErrOtherFunction},
		{[]string{version(1), version(3)}, lambda.ErrRole},
		{[]string{function + ":$LATEST"}, lambda.ErrWrongKind},
		{[]string{live}, lambda.ErrWrongKind},
		{[]string{function}, lambda.ErrWrongKind},
	} {
		err := s.forward.CheckGroups(t.Context(), entry(c.groups...))
		if !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.groups, err, c.want)
		}
		texts = append(texts, fmt.Sprint(err))
	}
	s.provision("live")
	err = s.forward.CheckGroups(t.Context(), entry(version(1), version(2)))
	if group, is := errors.AsType[*lambda.GroupError](err); !errors.Is(err, lambda.ErrConcurrency) || !is || group.Other != live {
		t.Errorf("an alias with provisioned concurrency: %v", err)
	}
	texts = append(texts, fmt.Sprint(err))
	err = s.write(s.forward, map[string]int{version(1): 900, version(2): 100})
	if call, is := errors.AsType[*lambda.CallError](err); !is || !call.Refused() || call.Code != "InvalidParameterValueException" {
		t.Errorf("weights for it: %v", err)
	}
	golden.Record(t, strings.Join(append(texts, fmt.Sprint(err)), "\n"))
}

func TestRouter_timing(t *testing.T) {
	s := newSite(t, 1)
	s.function("slow", 1, func(in *api.CreateFunctionInput) { in.Timeout = aws.Int32(900) })
	slow := "arn:aws:lambda:eu-central-1:123456789012:function:slow:1"
	if got, err := s.forward.LongestDelay(t.Context(), []string{version(1), slow}); err != nil || got != 15*time.Minute {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := s.forward.LongestDelay(t.Context(), []string{version(1), version(9)}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if got, err := s.forward.SlowStarts(t.Context(), []string{version(1)}); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// Everything that has a version is found, also as the additional one, at weight 0, and on later pages.
func TestRouter_references(t *testing.T) {
	s := newSite(t, 3)
	var want []traffic.Reference
	for n := range 60 {
		name := fmt.Sprintf("a%02d", n)
		want = append(want, traffic.Reference{Route: s.alias(name, "2"), Text: "alias " + name + " of shop", Group: version(2), Share: shift.Full})
	}
	s.alias("canary", "3")
	_, err := s.api.UpdateAlias(t.Context(), &api.UpdateAliasInput{
		FunctionName: aws.String("shop"), Name: aws.String("canary"), RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0}},
	})
	must(t, err)
	s.change("1", map[string]float64{"2": 0.25})
	want = append(want,
		traffic.Reference{Route: function + ":canary", Text: "alias canary of shop", Group: version(2)},
		traffic.Reference{Route: live, Text: "alias live of shop", Group: version(2), Share: 250},
		traffic.Reference{Route: live, Text: "alias live of shop", Group: version(1), Share: 750})
	reader := lambda.NewReader(s.forward)
	for name, references := range map[string]traffic.References{"router": s.forward, "reader": reader} {
		got, err := references.References(t.Context(), []string{version(2), version(1)})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if _, err := references.References(t.Context(), []string{version(1), version(9)}); !errors.Is(err, traffic.ErrNotFound) {
			t.Errorf("%s: a missing version: %v", name, err)
		}
	}

	others, err := s.forward.OtherRoutes(t.Context(), []string{live}, []string{version(2), version(3)})
	if err != nil || len(others) != 61 || others[0].Text != "alias a00 of shop" || others[60].Text != "alias canary of shop" || !slices.Equal(others[60].Groups, []string{version(3)}) {
		t.Errorf("got %d other routes, %v", len(others), err)
	}
	again, err := reader.OtherRoutes(t.Context(), []string{live}, []string{version(2), version(3)})
	if err != nil || len(again) != len(others) {
		t.Errorf("the reader has %d other routes, %v", len(again), err)
	}
}

// The resources of a run share calls, and one that fails does not affect the others.
func TestReader(t *testing.T) {
	s := newSite(t, 2)
	reader := lambda.NewReader(s.forward)
	for range 3 {
		states, err := reader.Read(t.Context(), []string{live, live})
		must(t, err)
		if !maps.Equal(states[0].Weights, map[string]int{version(1): 1000}) || states[0].Label != "alias live of shop" {
			t.Errorf("got %+v", states[0])
		}
		clear(states[0].Weights)
	}
	if n := s.count("GetAlias"); n != 1 {
		t.Errorf("%d calls", n)
	}
	if _, err := reader.Read(t.Context(), []string{function + ":absent"}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	s.change("2", nil)
	reader.Invalidate()
	states, err := reader.Read(t.Context(), []string{live})
	must(t, err)
	if !maps.Equal(states[0].Weights, map[string]int{version(2): 1000}) {
		t.Errorf("after a write: %v", states[0].Weights)
	}
	health, err := reader.IdleHealth(t.Context(), []string{version(1), version(9)})
	if h, ok := health[version(1)]; !ok || h.Serving() != 1 || !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("got %v, %v", health, err)
	}
	if records, err := reader.Records(t.Context(), []string{live}); err != nil || len(records) > 0 {
		t.Errorf("records: %v, %v", records, err)
	}
}

// A refresh of many switches reads the health of a limited number of versions.
func TestReader_idleHealthIsLimited(t *testing.T) {
	s := newSite(t, 110)
	var groups []string
	for n := range 110 {
		groups = append(groups, version(n+1))
	}
	health, err := lambda.NewReader(s.forward).IdleHealth(t.Context(), groups)
	if n := s.count("GetFunctionConfiguration"); err != nil || n != 100 || len(health) != 100 {
		t.Errorf("%d reads for %d results, %v", n, len(health), err)
	}
}

// A Router makes only calls that Permissions names.
func TestPermissions(t *testing.T) {
	s := newSite(t, 2)
	first := len(s.srv.Calls())
	must(t, s.write(s.forward, map[string]int{version(1): 500, version(2): 500}))
	must(t, s.forward.CheckGroups(t.Context(), entry(version(1), version(2))))
	_, err := s.forward.Health(t.Context(), []string{version(1)})
	must(t, err)
	_, err = s.forward.References(t.Context(), []string{version(1)})
	must(t, err)
	var called []string
	for _, c := range s.srv.Calls()[first:] {
		called = append(called, c.Service+":"+c.Action)
	}
	slices.Sort(called)
	if called, allowed := slices.Compact(called), slices.Sorted(slices.Values(lambda.Permissions())); !slices.Equal(called, allowed) {
		t.Errorf("called %v, permissions %v", called, allowed)
	}
}
