package routertest

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// TestRecorder runs the contract of traffic.Recorder. The routes, at least two, exist and
// have no records.
func TestRecorder(t *testing.T, recorder traffic.Recorder, routes []string) {
	t.Helper()
	ctx := t.Context()
	whole := traffic.Record{
		Shift: "20260102T030405Z-0a1b2c3d", Switch: "0123456789ab", Routes: len(routes), Phase: traffic.PhaseOpen, Renewal: 1,
		Owner:   traffic.Owner{User: "zoë & co", Host: "ci-7", Boot: "abcdef012345", PID: 4711, Start: "12345", Run: "https://ci.example.com/runs/42?a=b#c"},
		Expires: time.Unix(1767323045, 0).UTC(), Reached: 500, Answers: traffic.WithAnswer(traffic.WithAnswer(traffic.WithAnswer("", "0a1b2c3d", traffic.ResultAccepted), "1a1b2c3d", traffic.ResultTooLate), "2a1b2c3d", traffic.ResultNoGate),
		Goal: "ba9876543210", Environment: "green = new", Version: "sha256:0011+22", Retry: "00112233aabb",
		From: map[string]shift.Share{traffic.GroupKey("blue"): 999, traffic.GroupKey("red"): 1},
		To:   map[string]shift.Share{traffic.GroupKey("green"): 1000},
	}
	check := func(when, route string, want ...traffic.Record) {
		t.Helper()
		found, err := recorder.Records(ctx, routes)
		if got := found[route]; err != nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%s: route %s has\n%+v, %v; want\n%+v", when, route, got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("at first", routes[0])
	must(recorder.Put(ctx, routes, whole, true))
	for _, route := range routes {
		check("after Put", route, whole)
	}
	renewed := whole
	renewed.Renewal, renewed.Reached, renewed.Expires, renewed.Phase, renewed.Reason = 2, 1000, whole.Expires.Add(time.Minute), traffic.PhaseRejected, `gate "users" failed: 50 %, limit 1 %`
	partial := traffic.Record{Shift: renewed.Shift, Switch: whole.Switch, Routes: whole.Routes, Owner: whole.Owner, Renewal: 2, Reached: 1000, Expires: renewed.Expires, Phase: renewed.Phase, Reason: renewed.Reason, Answers: renewed.Answers}
	must(recorder.Put(ctx, routes[:1], partial, false))
	check("after a renewal", routes[0], renewed)
	check("without one", routes[1], whole)
	other := traffic.Record{Shift: "20260102T030406Z-00000000", Switch: "ffffffffffff", Routes: 1, Phase: traffic.PhaseOpen, Expires: whole.Expires}
	must(recorder.Put(ctx, routes[:1], other, true))
	check("with a second one", routes[0], renewed, other)
	must(recorder.Remove(ctx, routes, whole.Shift))
	must(recorder.Remove(ctx, routes, "20260102T030407Z-00000000"))
	check("after Remove", routes[0], other)
	check("after Remove", routes[1])
	testLongRecord(ctx, t, recorder, routes[0])
	testRequests(t, recorder, routes)
}

// testRequests checks requests beside the records.
func testRequests(t *testing.T, recorder traffic.Recorder, routes []string) {
	t.Helper()
	ctx := t.Context()
	check := func(when string, want ...traffic.Request) {
		t.Helper()
		if got, err := recorder.Requests(ctx, routes); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got\n%+v, %v; want\n%+v", when, got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	approve := traffic.Request{Verb: traffic.VerbApprove, Shift: "20260102T030405Z-0a1b2c3d", At: 50, Gate: "go / no go", By: "zoë", Nonce: "0a1b2c3d"}
	abort := traffic.Request{Verb: traffic.VerbAbort, Shift: approve.Shift, At: 500, By: "ann", Reason: `checkout "is" down = +1`, Nonce: "ffffffff"}
	check("at first")
	must(recorder.Ask(ctx, routes, approve))
	must(recorder.Ask(ctx, routes[:1], abort))
	check("after two requests", approve, abort)
	again := approve
	again.Nonce = "1b2c3d4e"
	must(recorder.Ask(ctx, routes, again))
	check("after a later one with the same verb", again, abort)
	must(recorder.RemoveRequests(ctx, routes, []traffic.Verb{traffic.VerbApprove}))
	check("after RemoveRequests", abort)
	must(recorder.RemoveRequests(ctx, routes, traffic.Verbs()))
	check("after all are removed")
	must(recorder.Ask(ctx, routes, approve))
	must(recorder.Put(ctx, routes, traffic.Record{Shift: approve.Shift, Phase: traffic.PhaseOpen}, true))
	records, err := recorder.Records(ctx, routes)
	if got := records[routes[0]]; err != nil || !slices.ContainsFunc(got, func(r traffic.Record) bool { return slices.Equal(r.Requests, []traffic.Request{approve}) }) {
		t.Errorf("the record has no request: %+v, %v", records, err)
	}
	must(recorder.Remove(ctx, routes, approve.Shift))
	check("after the record is removed")
	abort.Reason = strings.Repeat("ü=+ \n", 100)
	must(recorder.Ask(ctx, routes, abort))
	if got, err := recorder.Requests(ctx, routes); err != nil || len(got) != 1 || got[0].Reason == "" || got[0].Nonce != abort.Nonce {
		t.Errorf("a long request became %+v, %v", got, err)
	}
}

// testLongRecord checks that values of any length and content are preserved as far as they are
// compared.
func testLongRecord(ctx context.Context, t *testing.T, recorder traffic.Recorder, route string) {
	t.Helper()
	long := strings.Repeat("ü=+ \n", 100)
	r := traffic.Record{Shift: "20260102T030408Z-00000000", Switch: "0123456789ab", Phase: traffic.PhaseOpen, Expires: time.Unix(1, 0).UTC(),
		Owner: traffic.Owner{User: long, Host: long, Run: long, Boot: "abcdef012345", PID: 1 << 22}, Environment: long, Version: long, Reason: long}
	if err := recorder.Put(ctx, []string{route}, r, true); err != nil {
		t.Fatal(err)
	}
	found, err := recorder.Records(ctx, []string{route})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range found[route] {
		if got.Shift != r.Shift {
			continue
		}
		if !traffic.SameValue(got.Version, long) || traffic.SameValue(got.Version, long+"x") || !traffic.SameValue(got.Environment, long) || got.Owner.PID != r.Owner.PID || got.Reason == "" {
			t.Errorf("a long record became %+v", got)
		}
		return
	}
	t.Errorf("the record of long values is missing: %+v", found)
}
