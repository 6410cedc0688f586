package route53_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// stall makes Route 53 execute the next batch only once release is called. Arrived gets its number in
// the journal.
func (d *dns) stall() (arrived chan int, release func()) {
	d.t.Helper()
	arrived, released := make(chan int, 1), make(chan struct{})
	stalls := make(chan bool, 1)
	stalls <- true
	d.t.Cleanup(d.srv.Hook(func(c localaws.Call) {
		if c.Action != change {
			return
		}
		select {
		case <-stalls:
			arrived <- c.ID
			<-released
		default:
		}
	}))
	return arrived, func() { close(released) }
}

// executed waits until a call has been executed, and returns its error code.
func (d *dns) executed(id int) string {
	d.t.Helper()
	call, err := d.srv.AwaitCall(d.ctx(), func(c localaws.Call) bool { return c.ID == id && c.Status != 0 })
	must(d.t, err)
	return call.ErrorCode
}

// A batch that Route 53 executes after its caller has canceled it does not undo the rollback that came
// in between, although the rollback found the weights as they should be.
func TestRollback_isNotUndoneByALateWrite(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	arrived, release := d.stall()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.forward.Write(ctx, route, d.to(stable, 50, 50)) }()
	id := <-arrived
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the write returned %v", err)
	}
	must(t, d.rollback.Write(t.Context(), route, stable))
	release()
	if code := d.executed(id); code != "InvalidChangeBatch" || !d.read("A").Equal(stable) {
		t.Errorf("the late batch ended with %q, and the weights are %s", code, d.weights(appName, "A"))
	}
}

// The engine sends a batch again whose connection was lost. The first one, executed late, does not undo
// the rollback to the weights that it was to replace.
func TestRollback_isNotUndoneByALateAttempt(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	arrived, release := d.stall()
	lost := make(chan int, 1)
	forward, rollback := d.routersWith(doer(func(req *http.Request) (*http.Response, error) {
		if actionOf(req) != change || len(lost) > 0 {
			return http.DefaultClient.Do(req)
		}
		ctx, cancel := context.WithCancel(req.Context())
		defer cancel()
		go func() { lost <- <-arrived; cancel() }()
		return http.DefaultClient.Do(req.WithContext(ctx))
	}), route53.Options{RequestsPerSecond: unlimited})
	if err := forward.Write(t.Context(), route, d.to(stable, 50, 50)); !errors.Is(err, traffic.ErrUnanswered) {
		t.Errorf("a write without an answer returned %v", err)
	}
	must(t, forward.Write(t.Context(), route, d.to(stable, 50, 50)))
	if got := d.weights(appName, "A"); got != "blue 50, green 50" {
		t.Fatalf("the weights are %s", got)
	}
	must(t, rollback.Write(t.Context(), route, stable))
	if got := d.read("A"); !got.Equal(stable) {
		t.Errorf("the weights are %s", d.weights(appName, "A"))
	}
	release()
	if code := d.executed(<-lost); code != "InvalidChangeBatch" || !d.read("A").Equal(stable) {
		t.Errorf("the late batch ended with %q, and the weights are %s", code, d.weights(appName, "A"))
	}
}

// Another process rolls back, because this one was frozen. Its step, whose answer was lost, does not come again.
func TestWrite_isNotRepeatedAfterARollback(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	step := d.to(stable, 50, 50)
	d.srv.Inject(faults.Fault{Action: change, Kind: faults.DropAnswer, Times: 1})
	if err := d.forward.Write(t.Context(), route, step); !errors.Is(err, traffic.ErrUnanswered) {
		t.Errorf("a write without an answer returned %v", err)
	}
	_, guardian := d.routers(route53.Options{RequestsPerSecond: unlimited})
	if !guardian.Fence(route, stable, []traffic.State{stable, step}) {
		t.Error("the weights cannot be others")
	}
	must(t, guardian.Write(t.Context(), route, stable))
	if err := d.forward.Write(t.Context(), route, step); !errors.Is(err, route53.ErrChanged) || !d.read("A").Equal(stable) {
		t.Errorf("the repetition returned %v, and the weights are %s", err, d.weights(appName, "A"))
	}
}

// The same where the step arrives after the rollback: that it is refused is no reason to send it again.
func TestWrite_isNotRepeatedWhenItIsRefused(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	step := d.to(stable, 50, 50)
	arrived, release := d.stall()
	ended := make(chan error, 1)
	go func() { ended <- d.forward.Write(t.Context(), route, step) }()
	<-arrived
	_, guardian := d.routers(route53.Options{RequestsPerSecond: unlimited})
	guardian.Fence(route, stable, []traffic.State{stable, step})
	must(t, guardian.Write(t.Context(), route, stable))
	release()
	if err := <-ended; !errors.Is(err, route53.ErrChanged) || !d.read("A").Equal(stable) {
		t.Errorf("the step returned %v, and the weights are %s", err, d.weights(appName, "A"))
	}
}

// A command rolls back for a process that died, of which it knows nothing. The first attempt of its step, executed
// late, does not undo that, although the rollback restores what the step was to replace.
func TestRollback_isNotUndoneByAnotherProcess(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	arrived, release := d.stall()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.forward.Write(ctx, route, d.to(stable, 50, 50)) }()
	id := <-arrived
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the write returned %v", err)
	}
	again, _ := d.routers(route53.Options{RequestsPerSecond: unlimited})
	must(t, again.Write(t.Context(), route, d.to(stable, 50, 50)))
	_, command := d.routers(route53.Options{RequestsPerSecond: unlimited})
	if !command.Fence(route, stable, nil) {
		t.Error("the weights cannot be others")
	}
	must(t, command.Write(t.Context(), route, stable))
	release()
	if code := d.executed(id); code != "InvalidChangeBatch" || !d.read("A").EqualTraffic(stable) {
		t.Errorf("the late batch ended with %q, and the weights are %s", code, d.weights(appName, "A"))
	}
}

// Where few weights have the same shares, a late batch may well replace those that are drawn.
func TestFence_fewWeights(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s, route := d.read("A"), d.route(appName, "A")
	for _, tt := range []struct {
		blue, green int
		want        bool
	}{{100, 0, true}, {1, 0, true}, {50, 50, true}, {2, 1, true}, {90, 10, false}, {255, 1, false}} {
		if got := d.rollback.Fence(route, d.to(s, tt.blue, tt.green), nil); got != tt.want {
			t.Errorf("blue %d, green %d: got %t", tt.blue, tt.green, got)
		}
	}
}

// Reads are fresh: one right after a write that shows what there was before is a change by somebody else.
func TestRead_isFresh(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	must(t, d.forward.Write(t.Context(), route, d.to(stable, 50, 50)))
	d.change(types.ChangeActionUpsert, record(types.RRTypeA, "blue", 100), record(types.RRTypeA, "green", 0))
	if got := d.read("A"); !got.Fresh || !got.Equal(stable) {
		t.Errorf("fresh %t, %v", got.Fresh, got.Weights)
	}
}

// A batch that was refused is not executed later: a rollback that finds the weights as they should be
// sends nothing.
func TestRollback_sendsNothingAfterARefusal(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	stable, route := d.read("A"), d.route(appName, "A")
	remove := d.srv.Inject(faults.Fault{Action: change, Kind: faults.AccessDenied})
	defer remove()
	if err := d.forward.Write(t.Context(), route, d.to(stable, 50, 50)); !errors.Is(err, traffic.ErrDenied) {
		t.Fatalf("the write returned %v", err)
	}
	if calls := d.during(func() { must(t, d.rollback.Write(t.Context(), route, stable)) }); calls != list+" 1" {
		t.Errorf("the rollback made %s", calls)
	}
}

func TestAvoiding(t *testing.T) {
	for _, tt := range []struct {
		weights map[string]int
		those   []map[string]int
		want    map[string]int
	}{
		{map[string]int{"blue": 100, "green": 0}, nil, map[string]int{"blue": 100, "green": 0}},
		{map[string]int{"blue": 100, "green": 0}, []map[string]int{{"blue": 95, "green": 5}}, map[string]int{"blue": 100, "green": 0}},
		{map[string]int{"blue": 100, "green": 0}, []map[string]int{{"blue": 100, "green": 0}}, map[string]int{"blue": 99, "green": 0}},
		{map[string]int{"blue": 1, "green": 0}, []map[string]int{{"blue": 1, "green": 0}}, map[string]int{"blue": 2, "green": 0}},
		{map[string]int{"blue": 255, "green": 1}, []map[string]int{{"blue": 255, "green": 1}}, map[string]int{"blue": 255, "green": 1}},
		{map[string]int{"blue": 0}, []map[string]int{{"blue": 0}}, map[string]int{"blue": 0}},
	} {
		if got := route53.Avoiding(tt.weights, tt.those); !maps.Equal(got, tt.want) {
			t.Errorf("%v instead of %v: got %v, want %v", tt.those, tt.weights, got, tt.want)
		}
	}
}

func TestAvoiding_sameShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.MapOfN(rapid.StringMatching("[a-d]"), rapid.IntRange(0, 255), 1, 4).Draw(t, "weights")
		var those []map[string]int
		for range rapid.IntRange(0, 3).Draw(t, "times") {
			got := route53.Avoiding(weights, those)
			if !shift.FromRaw(got).Equal(shift.FromRaw(weights)) || len(got) != len(weights) {
				t.Fatalf("%v became %v", weights, got)
			}
			for name, n := range got {
				if n < 0 || n > 255 || (n == 0) != (weights[name] == 0) {
					t.Fatalf("%v became %v", weights, got)
				}
			}
			those = append(those, got)
		}
	})
}

// Of what has the same shares, two are left: one may be what the route has now. The weights themselves are never left.
func TestMostOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.MapOfN(rapid.StringMatching("[a-d]"), rapid.IntRange(0, 255), 1, 4).Draw(t, "weights")
		most := route53.MostOf(weights)
		var left []map[string]int
		for len(left) < 3 {
			got := route53.Avoiding(weights, append(most, left...))
			if maps.Equal(got, weights) {
				break
			}
			left = append(left, got)
		}
		if len(left) != min(2, options(weights)-1) {
			t.Fatalf("%v leaves %v", weights, left)
		}
	})
}

// options returns how many weights have the same shares.
func options(weights map[string]int) (n int) {
	largest := slices.Max(slices.Collect(maps.Values(weights)))
	for total := 1; total <= 255 && largest > 0; total++ {
		fits := true
		for _, w := range weights {
			fits = fits && w*total%largest == 0
		}
		if fits {
			n++
		}
	}
	return max(n, 1)
}
