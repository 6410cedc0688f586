package route53_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	change = "ChangeResourceRecordSets"
	list   = "ListResourceRecordSets"
)

// once returns a function that runs do before the first request of an action.
func once(action string, do func()) func(string) {
	var first sync.Once
	return func(a string) {
		if a == action {
			first.Do(do)
		}
	}
}

func TestWrite_refusesChangedWeights(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		early bool   // the change is before the read of Write, otherwise between that and the batch
		calls string // of the write
	}{
		"before the write":               {true, list + " 1"},
		"between the read and the batch": {false, change + " 1, " + list + " 2"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDNS(t)
			d.app()
			s := d.read("A")
			external := func() { d.setWeights(appName, "A", map[string]int{"blue": 30, "green": 70}) }
			if tt.early {
				external()
			} else {
				d.before(once(change, external))
			}
			var err error
			calls := d.during(func() { err = d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 95, 5)) })
			changed, ok := errors.AsType[*route53.ChangedError](err)
			if !ok || !errors.Is(err, route53.ErrChanged) || changed.Weights[d.group(appName, "green")] != 70 {
				t.Errorf("Write returned %v", err)
			}
			if want := "app.example.com A was changed by somebody else and has the weights blue 30, green 70"; ok && changed.Error() != want {
				t.Errorf("got %q", changed)
			}
			if got := d.weights(appName, "A"); got != "blue 30, green 70" {
				t.Errorf("the weights are %s", got)
			}
			if calls != tt.calls {
				t.Errorf("the write made %s", calls)
			}
			// What was read since is what the next write rests on.
			must(t, d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(d.read("A"), 95, 5)))
		})
	}
}

// A change of something else between the read and the batch is preserved, and the weights are written.
func TestWrite_keepsConcurrentChangesOfOtherFields(t *testing.T) {
	t.Parallel()
	for name, router := range map[string]func(*dns) *route53.Router{
		"forward":  func(d *dns) *route53.Router { return d.forward },
		"rollback": func(d *dns) *route53.Router { return d.rollback },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDNS(t)
			d.app()
			s := d.read("A")
			d.before(once(change, func() {
				blue, green := record(types.RRTypeA, "blue", 100), record(types.RRTypeA, "green", 0)
				blue.TTL, green.TTL = new(int64(30)), new(int64(30))
				d.change(types.ChangeActionUpsert, blue, green)
			}))
			calls := d.during(func() { must(t, router(d).Write(d.ctx(), d.route(appName, "A"), d.to(s, 95, 5))) })
			if got := d.weights(appName, "A"); got != "blue 95, green 5" || *d.sets(appName, "A")["blue"].TTL != 30 {
				t.Errorf("the weights are %s, the TTL %d", got, *d.sets(appName, "A")["blue"].TTL)
			}
			if calls != change+" 2, "+list+" 2" {
				t.Errorf("the write made %s", calls)
			}
		})
	}
}

// What this process wrote itself is no change by somebody else, whichever Router wrote it.
func TestWrite_knowsItsOwnWrites(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	route := d.route(appName, "A")
	must(t, d.forward.Write(d.ctx(), route, d.to(s, 95, 5)))
	must(t, d.forward.Write(d.ctx(), route, d.to(s, 50, 50)))
	must(t, d.rollback.Write(d.ctx(), route, d.to(s, 99, 1)))
	must(t, d.forward.Write(d.ctx(), route, d.to(s, 50, 50)))
	other, _ := d.routers(route53.Options{MaxAttempts: 1, RequestsPerSecond: unlimited})
	if err := other.Write(d.ctx(), route, d.to(s, 10, 90)); !errors.Is(err, route53.ErrChanged) {
		t.Errorf("another process with an old read got %v", err)
	}
	if calls := d.during(func() { must(t, d.forward.Write(d.ctx(), route, d.to(s, 50, 50))) }); calls != list+" 1" {
		t.Errorf("a write that changes nothing made %s", calls)
	}
}

// A batch whose answer was lost has been executed, so that the record sets are not those that it deletes. The SDK
// sends it again in a rollback only: otherwise its caller decides.
func TestWrite_lostAnswer(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	forward, rollback := d.routers(route53.Options{RequestsPerSecond: unlimited})
	for name, router := range map[string]*route53.Router{"forward": forward, "rollback": rollback} {
		d.srv.Inject(faults.Fault{Action: change, Kind: faults.DropAnswer, Times: 1})
		blue := 100 - len(name)
		err := router.Write(d.ctx(), d.route(appName, "A"), d.to(s, blue, len(name)))
		if name == "forward" && errors.Is(err, traffic.ErrUnanswered) {
			err = router.Write(d.ctx(), d.route(appName, "A"), d.to(s, blue, len(name)))
		} else if name == "forward" {
			t.Errorf("a write without an answer returned %v", err)
		}
		must(t, err)
		if got := *d.sets(appName, "A")["blue"].Weight; got != int64(blue) {
			t.Errorf("%s: blue has %d", name, got)
		}
	}
	// Without a retry, it is not known whether the batch was executed: the next write accepts both.
	d.srv.Inject(faults.Fault{Action: change, Kind: faults.DropAnswer, Times: 1})
	s = d.read("A")
	if err := d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 80, 20)); err == nil {
		t.Fatal("a write without an answer succeeded")
	}
	must(t, d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 70, 30)))
}

func TestRollback_overwritesChangedWeights(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	d.setWeights(appName, "A", map[string]int{"blue": 30, "green": 70})
	d.before(once(change, func() { d.setWeights(appName, "A", map[string]int{"blue": 20, "green": 80}) }))
	must(t, d.rollback.Write(d.ctx(), d.route(appName, "A"), d.to(s, 100, 0)))
	if got := d.weights(appName, "A"); got != "blue 100, green 0" {
		t.Errorf("the weights are %s", got)
	}
}

// Somebody who changes a record set again and again does not prevent a rollback.
func TestRollback_overwritesWithoutConditionInTheEnd(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	d.setWeights(appName, "A", map[string]int{"blue": 10, "green": 70})
	n := 10
	d.before(func(action string) {
		if action == change {
			n++
			d.setWeights(appName, "A", map[string]int{"blue": n, "green": 70})
		}
	})
	calls := d.during(func() { must(t, d.rollback.Write(d.ctx(), d.route(appName, "A"), d.to(s, 100, 0))) })
	if got := d.weights(appName, "A"); got != "blue 100, green 0" || calls != change+" 4, "+list+" 3" {
		t.Errorf("the weights are %s after %s", got, calls)
	}
}

func TestRollback_writesWithoutReading(t *testing.T) {
	t.Parallel()
	for _, kind := range []faults.Kind{faults.AccessDenied, faults.ExpiredToken, faults.EmptyBody, faults.Throttle} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			d := newDNS(t)
			d.app()
			s := d.read("A")
			d.setWeights(appName, "A", map[string]int{"blue": 30, "green": 70})
			d.srv.Inject(faults.Fault{Action: list, Kind: kind, Times: 0})
			if err := d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 95, 5)); err == nil {
				t.Error("a forward write succeeded without a read")
			}
			must(t, d.rollback.Write(d.ctx(), d.route(appName, "A"), d.to(s, 100, 0)))
			if got := d.weights(appName, "A"); got != "blue 100, green 0" {
				t.Errorf("the weights are %s", got)
			}
		})
	}
}

// A group that is gone is no reason to leave the traffic where it is, if it gets none.
func TestRollback_missingGroups(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	must(t, d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 50, 50)))
	d.change(types.ChangeActionDelete, d.sets(appName, "A")["green"])
	route, green := d.route(appName, "A"), d.group(appName, "green")
	if err := d.forward.Write(d.ctx(), route, d.to(s, 100, 0)); !isMissing(err, green) {
		t.Errorf("a forward write returned %v", err)
	}
	if err := d.rollback.Write(d.ctx(), route, d.to(s, 50, 50)); !isMissing(err, green) {
		t.Errorf("a rollback to a missing group returned %v", err)
	}
	must(t, d.rollback.Write(d.ctx(), route, d.to(s, 100, 0)))
	if got := d.weights(appName, "A"); got != "blue 100" {
		t.Errorf("the weights are %s", got)
	}
}

func isMissing(err error, id string) bool {
	got, ok := traffic.Missing(err)
	return ok && got == id && errors.Is(err, traffic.ErrNotFound)
}

// Everything of a record set but its weight is as before.
func TestWrite_keepsAliases(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	target := record(types.RRTypeA, "", 0)
	target.Name, target.SetIdentifier, target.Weight = new("blue.example.com"), nil, nil
	d.change(types.ChangeActionCreate, target)
	for identifier, weight := range map[string]int64{"blue": 100, "green": 0} {
		s := types.ResourceRecordSet{
			Name: new(appName), Type: types.RRTypeA, SetIdentifier: new(identifier), Weight: new(weight),
			AliasTarget: &types.AliasTarget{HostedZoneId: new(d.zone), DNSName: new("blue.example.com"), EvaluateTargetHealth: identifier == "blue"},
		}
		if identifier == "green" {
			s.HealthCheckId = new(d.healthCheck())
		}
		d.change(types.ChangeActionCreate, s)
	}
	before := d.beside()
	s := d.read("A")
	for _, router := range []*route53.Router{d.forward, d.rollback} {
		must(t, router.Write(d.ctx(), d.route(appName, "A"), d.to(s, 95, 5)))
		must(t, router.Write(d.ctx(), d.route(appName, "A"), d.to(s, 0, 1)))
	}
	d.srv.Inject(faults.Fault{Action: list, Kind: faults.AccessDenied, Times: 1})
	must(t, d.rollback.Write(d.ctx(), d.route(appName, "A"), d.to(s, 100, 0)))
	if after := d.beside(); after != before {
		t.Errorf("got\n%swant\n%s", after, before)
	}
	if got := d.weights(appName, "A"); got != "blue 100, green 0" {
		t.Errorf("the weights are %s", got)
	}
}

// Route 53 refuses a change of a zone while it processes another one.
func TestWrite_priorRequestNotComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			switch {
			case action == list:
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50))
			case refused > 0:
				refused--
				return refusal(http.StatusBadRequest, "PriorRequestNotComplete", "The request was rejected because Route 53 was still processing a prior request.")
			}
			return accepted()
		}}
		once, rollback := pair(w, route53.Options{MaxAttempts: 1})
		forward, _ := pair(w, route53.Options{})
		for name, router := range map[string]*route53.Router{"forward": forward, "rollback": rollback, "one attempt": once} {
			states, err := router.Read(t.Context(), []string{web})
			must(t, err)
			states[0].Weights = map[string]int{blue: 40, green: 60}
			refused = 4
			err = router.Write(t.Context(), web, states[0])
			if router == once && !errors.Is(err, traffic.ErrThrottled) || router != once && (err != nil || refused > 0) {
				t.Errorf("%s: Write returned %v", name, err)
			}
		}
	})
}

func TestWrite_canceledBeforeItIsSent(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	ctx, cancel := context.WithCancel(t.Context())
	d.before(once(list, cancel))
	calls := d.during(func() {
		if err := d.forward.Write(ctx, d.route(appName, "A"), d.to(s, 95, 5)); !errors.Is(err, context.Canceled) {
			t.Errorf("Write returned %v", err)
		}
	})
	if got := d.weights(appName, "A"); got != "blue 100, green 0" || calls != list+" 1" {
		t.Errorf("the weights are %s after %s", got, calls)
	}
}

// Two processes that count up one weight each lose no step: each write that succeeds rests on all that
// it read.
func TestWrite_losesNoUpdate(t *testing.T) {
	t.Parallel()
	const each = 20
	d := newDNS(t)
	d.app()
	d.setWeights(appName, "A", map[string]int{"blue": 1, "green": 1})
	other, _ := d.routers(route53.Options{MaxAttempts: 1, RequestsPerSecond: unlimited})
	type counter struct {
		router  *route53.Router
		group   string
		written int
	}
	counters := []*counter{{router: d.forward, group: d.group(appName, "blue")}, {router: other, group: d.group(appName, "green")}}
	var calls sync.WaitGroup
	for _, c := range counters {
		calls.Go(func() {
			for range each {
				states, err := c.router.Read(t.Context(), []string{d.route(appName, "A")})
				if err != nil {
					t.Error(err)
					return
				}
				states[0].Weights[c.group]++
				err = c.router.Write(t.Context(), d.route(appName, "A"), states[0])
				if err == nil {
					c.written++
				} else if !errors.Is(err, route53.ErrChanged) {
					t.Error(err)
				}
			}
		})
	}
	calls.Wait()
	now := d.read("A")
	for _, c := range counters {
		if got := now.Weights[c.group]; got != c.written+1 {
			t.Errorf("%s has weight %d after %d writes", c.group, got, c.written)
		}
	}
	if counters[0].written+counters[1].written < each {
		t.Errorf("%d and %d writes succeeded", counters[0].written, counters[1].written)
	}
}

// A record set whose weight stays the same is part of what a write rests on.
func TestWrite_noticesChangesOfOtherRecordSets(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	d.before(once(change, func() { d.setWeights(appName, "A", map[string]int{"blue": 0, "green": 0}) }))
	if err := d.forward.Write(d.ctx(), d.route(appName, "A"), d.to(s, 100, 5)); !errors.Is(err, route53.ErrChanged) {
		t.Errorf("got %v", err)
	}
	if got := d.weights(appName, "A"); got != "blue 0, green 0" {
		t.Errorf("the weights are %s", got)
	}
}
