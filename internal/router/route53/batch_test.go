package route53_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// writeAll writes routes concurrently, as the engine does, and returns the error of each.
func writeAll(ctx context.Context, router traffic.Router, desired map[string]traffic.State) map[string]error {
	var mu sync.Mutex
	errs := map[string]error{}
	ctx = traffic.WithGroup(ctx, slices.Collect(maps.Keys(desired)))
	var calls sync.WaitGroup
	for route, s := range desired {
		calls.Go(func() {
			err := router.Write(ctx, route, s)
			mu.Lock()
			defer mu.Unlock()
			errs[route] = err
		})
	}
	calls.Wait()
	return errs
}

// both returns desired states of both routes of app.example.com.
func (d *dns) both(blue, green int) map[string]traffic.State {
	d.t.Helper()
	return map[string]traffic.State{
		d.route(appName, "A"): d.to(d.read("A"), blue, green), d.route(appName, "AAAA"): d.to(d.read("AAAA"), blue, green),
	}
}

// The routes that are written at once are one batch, however long it takes until the last one arrives.
func TestWrite_aGroupIsOneBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const routes = 40
		var sets []string
		for i := range routes {
			for _, identifier := range []string{"blue", "green"} {
				sets = append(sets, strings.ReplaceAll(weighted("A", identifier, 50), "app.example.com", fmt.Sprintf("app%02d.example.com", i)))
			}
		}
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			if action == list {
				return listed(sets...)
			}
			return accepted()
		}}
		for name, router := range map[string]func(forward, rollback *route53.Router) *route53.Router{
			"forward":  func(forward, _ *route53.Router) *route53.Router { return forward },
			"rollback": func(_, rollback *route53.Router) *route53.Router { return rollback },
		} {
			before := w.changes()
			r := router(pair(w, route53.Options{RequestsPerSecond: unlimited}))
			var ids []string
			for i := range routes {
				ids = append(ids, fmt.Sprintf("Z1/app%02d.example.com/A", i))
			}
			states, err := r.Read(t.Context(), ids)
			must(t, err)
			ctx := traffic.WithGroup(t.Context(), ids)
			var calls sync.WaitGroup
			for i, id := range ids {
				calls.Add(1)
				states[i].Weights = map[string]int{strings.TrimSuffix(id, "/A") + "#blue": 40, strings.TrimSuffix(id, "/A") + "#green": 60}
				time.AfterFunc(time.Duration(i)*50*time.Millisecond, func() {
					defer calls.Done()
					if err := r.Write(ctx, id, states[i]); err != nil {
						t.Errorf("%s: %s: %v", name, id, err)
					}
				})
			}
			calls.Wait()
			if n := w.changes() - before; n != 1 {
				t.Errorf("%s: %d batches", name, n)
			}
		}
	})
}

// A route of the group that is not sent, because its write is invalid or has ended, holds up nothing. Routes of
// other zones are another batch.
func TestWrite_aGroupWaitsForWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			if action == list {
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50), weighted("AAAA", "blue", 50), weighted("AAAA", "green", 50))
			}
			return accepted()
		}}
		for name, ends := range map[string]bool{"invalid": false, "ended": true} {
			forward, _ := pair(w, route53.Options{RequestsPerSecond: unlimited})
			states, err := forward.Read(t.Context(), []string{web, web6})
			must(t, err)
			for i := range states {
				states[i].Weights = map[string]int{blue: 40, green: 60}
			}
			ctx := traffic.WithGroup(t.Context(), []string{web, web6, "Z9/app.example.com/A"})
			ended, cancel := context.WithCancel(ctx)
			if cancel(); !ends {
				ended, states[1].Raw = ctx, nil
			}
			began := time.Now()
			if err := forward.Write(ended, web6, states[1]); err == nil {
				t.Errorf("%s: it was sent", name)
			}
			if err := forward.Write(ctx, web, states[0]); err != nil || time.Since(began) > 0 {
				t.Errorf("%s: the other one returned %v after %s", name, err, time.Since(began))
			}
		}
	})
}

func TestWrite_routesOfAZoneAreOneBatch(t *testing.T) {
	t.Parallel()
	for name, router := range map[string]func(*dns) *route53.Router{
		"forward":  func(d *dns) *route53.Router { return d.forward },
		"rollback": func(d *dns) *route53.Router { return d.rollback },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDNS(t)
			d.app()
			desired := d.both(95, 5)
			for i := range 3 {
				host := fmt.Sprintf("api%d.example.com", i)
				for identifier, weight := range map[string]int{"blue": 1, "green": 0} {
					s := record(types.RRTypeA, identifier, weight)
					s.Name = &host
					d.change(types.ChangeActionCreate, s)
				}
				states, err := d.forward.Read(t.Context(), []string{d.route(host, "A")})
				must(t, err)
				states[0].Weights = map[string]int{d.group(host, "blue"): 95, d.group(host, "green"): 5}
				desired[d.route(host, "A")] = states[0]
			}
			calls := d.during(func() {
				for route, err := range writeAll(t.Context(), router(d), desired) {
					if err != nil {
						t.Errorf("%s: %v", route, err)
					}
				}
			})
			if want := change + " 1, " + list + " 1"; calls != want {
				t.Errorf("five writes made %s, want %s", calls, want)
			}
			for route := range desired {
				parsed, err := route53.ParseRoute(route)
				must(t, err)
				if got := d.weights(parsed.Name, parsed.Type); got != "blue 95, green 5" {
					t.Errorf("%s has %s", route, got)
				}
			}
		})
	}
}

// What is too much for one batch is sent in several.
func TestWrite_splitsBatchesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	desired := map[string]traffic.State{}
	const hosts, values = 6, 100 // each host has two record sets, and each of them counts twice
	for i := range hosts {
		host := fmt.Sprintf("api%d.example.com", i)
		for identifier, weight := range map[string]int{"blue": 1, "green": 0} {
			s := record(types.RRTypeA, identifier, weight)
			s.Name, s.ResourceRecords = &host, nil
			for n := range values {
				s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: new(fmt.Sprintf("192.0.2.%d", n))})
			}
			d.change(types.ChangeActionCreate, s)
		}
		states, err := d.forward.Read(t.Context(), []string{d.route(host, "A")})
		must(t, err)
		states[0].Weights = map[string]int{d.group(host, "blue"): 0, d.group(host, "green"): 1}
		desired[d.route(host, "A")] = states[0]
	}
	calls := d.during(func() {
		for route, err := range writeAll(t.Context(), d.forward, desired) {
			if err != nil {
				t.Errorf("%s: %v", route, err)
			}
		}
	})
	if want := change + " 3, " + list + " 3"; calls != want {
		t.Errorf("the writes made %s, want %s", calls, want)
	}
	for i := range hosts {
		if got := d.weights(fmt.Sprintf("api%d.example.com", i), "A"); got != "blue 0, green 1" {
			t.Errorf("host %d has %s", i, got)
		}
	}
}

// A and AAAA of a name change together or not at all.
func TestWrite_batchIsAtomic(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(d *dns){
		"changed before": func(d *dns) { d.setWeights(appName, "AAAA", map[string]int{"blue": 1, "green": 1}) },
		"changed between": func(d *dns) {
			d.before(once(change, func() { d.setWeights(appName, "AAAA", map[string]int{"blue": 1, "green": 1}) }))
		},
		"deleted": func(d *dns) { d.change(types.ChangeActionDelete, d.sets(appName, "AAAA")["green"]) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDNS(t)
			d.app()
			desired := d.both(95, 5)
			disturb(d)
			errs := writeAll(t.Context(), d.forward, desired)
			first, second := errs[d.route(appName, "A")], errs[d.route(appName, "AAAA")]
			if !errors.Is(first, route53.ErrBatch) || errors.Is(first, traffic.ErrNotFound) || errors.Is(first, route53.ErrChanged) {
				t.Errorf("A: got %v", first)
			}
			if !errors.Is(second, route53.ErrChanged) && !isMissing(second, d.group(appName, "green")) {
				t.Errorf("AAAA: got %v", second)
			}
			if got := d.weights(appName, "A"); got != "blue 100, green 0" {
				t.Errorf("A has %s", got)
			}
		})
	}
}

// A rollback that cannot write all routes of a zone writes those that it can.
func TestRollback_writesEachRouteWhereABatchFails(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	for _, err := range writeAll(t.Context(), d.forward, d.both(50, 50)) {
		must(t, err)
	}
	desired := d.both(100, 0)
	d.change(types.ChangeActionDelete, d.sets(appName, "A")["blue"])
	errs := writeAll(t.Context(), d.rollback, desired)
	if err := errs[d.route(appName, "A")]; !isMissing(err, d.group(appName, "blue")) {
		t.Errorf("A: got %v", err)
	}
	if err := errs[d.route(appName, "AAAA")]; err != nil || d.weights(appName, "AAAA") != "blue 100, green 0" {
		t.Errorf("AAAA: got %v, weights %s", err, d.weights(appName, "AAAA"))
	}
}

// A policy may allow some names of a zone and not others.
func TestRollback_writesEachRouteWhereAccessIsDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(action string, _ int, req *http.Request) (*http.Response, error) {
			switch {
			case action == list:
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50), weighted("AAAA", "blue", 50), weighted("AAAA", "green", 50))
			case strings.Contains(bodyOf(t, req), "AAAA"):
				return refusal(http.StatusForbidden, "AccessDenied", "User is not authorized to perform: route53:ChangeResourceRecordSets")
			}
			return accepted()
		}}
		_, rollback := pair(w, route53.Options{})
		states, err := rollback.Read(t.Context(), []string{web, web6})
		must(t, err)
		for i := range states {
			states[i].Weights = map[string]int{blue: 100, green: 0}
		}
		errs := writeAll(t.Context(), rollback, map[string]traffic.State{web: states[0], web6: states[1]})
		if errs[web] != nil || !errors.Is(errs[web6], traffic.ErrDenied) || w.changes() != 3 {
			t.Errorf("got %v after %d changes", errs, w.changes())
		}
	})
}

// Twenty writers of zones of their own meet the request rate of the account, although two processes
// have more together: what is throttled is sent again.
func TestWrite_concurrentWritersOutlastThrottling(t *testing.T) {
	t.Parallel()
	const perSecond = 40
	d := newDNS(t, localaws.WithRoute53Rate(perSecond))
	var zones []*dns
	for range 20 {
		z := d.anotherZone()
		z.app()
		zones = append(zones, z)
	}
	first, _ := d.routers(route53.Options{Account: t.Name() + "1", RequestsPerSecond: 0.6 * perSecond})
	_, second := d.routers(route53.Options{Account: t.Name() + "2", RequestsPerSecond: 0.6 * perSecond})
	d.srv.Inject(faults.Fault{Action: change, Kind: faults.Throttle, Times: 10}) // also where the machine is too slow for the rate
	var calls sync.WaitGroup
	for i, z := range zones {
		router := first
		if i%2 == 0 {
			router = second
		}
		for _, kind := range []string{"A", "AAAA"} {
			calls.Go(func() {
				states, err := router.Read(t.Context(), []string{z.route(appName, kind)})
				if err == nil {
					err = router.Write(t.Context(), z.route(appName, kind), z.to(states[0], 95, 5))
				}
				if err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
	}
	calls.Wait()
	for _, z := range zones {
		if a, b := z.weights(appName, "A"), z.weights(appName, "AAAA"); a != "blue 95, green 5" || b != a {
			t.Errorf("the weights are %s and %s", a, b)
		}
	}
	throttled := 0
	for _, c := range d.srv.Calls() {
		if c.ErrorCode == "Throttling" {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("nothing was throttled")
	}
}

// Writes of one route that arrive together are sent one after the other, and the last one counts.
func TestWrite_sameRouteInOrder(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	var calls sync.WaitGroup
	for range 5 {
		calls.Go(func() {
			if err := d.forward.Write(t.Context(), d.route(appName, "A"), d.to(s, 95, 5)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if got := d.weights(appName, "A"); got != "blue 95, green 5" {
		t.Errorf("the weights are %s", got)
	}
}

// One canceled write of a batch does not end the others, and a lone one ends at its deadline with what
// the last attempt failed with.
func TestWrite_contextsOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			if action == list {
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50), weighted("AAAA", "blue", 50), weighted("AAAA", "green", 50))
			}
			<-release
			return accepted()
		}}
		forward, _ := pair(w, route53.Options{})
		states, err := forward.Read(t.Context(), []string{web, web6})
		must(t, err)
		for i := range states {
			states[i].Weights = map[string]int{blue: 40, green: 60}
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var calls sync.WaitGroup
		calls.Go(func() {
			began := time.Now()
			if err := forward.Write(short, web, states[0]); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 1100*time.Millisecond {
				t.Errorf("the short one returned %v after %s", err, time.Since(began))
			}
		})
		calls.Go(func() {
			if err := forward.Write(t.Context(), web6, states[1]); err != nil {
				t.Errorf("the other one returned %v", err)
			}
		})
		time.AfterFunc(2*time.Second, func() { close(release) })
		calls.Wait()
	})
}

func TestWrite_endsWithItsContextAndReportsTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			if action == list {
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50))
			}
			return refusal(http.StatusBadRequest, "Throttling", "Rate exceeded")
		}}
		for name, router := range routersByName(w) {
			states, err := router.Read(t.Context(), []string{web})
			must(t, err)
			states[0].Weights = map[string]int{blue: 40, green: 60}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			err = router.Write(ctx, web, states[0])
			cancel()
			if !errors.Is(err, traffic.ErrThrottled) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: Write returned %v", name, err)
			}
		}
	})
}

// A listing that hangs or is throttled leaves time for the write of a rollback, which has 10 s.
func TestRollback_doesNotWaitForTheRead(t *testing.T) {
	for name, answer := range map[string]func(*http.Request) (*http.Response, error){
		"hangs": hang,
		"throttled": func(*http.Request) (*http.Response, error) {
			return refusal(http.StatusBadRequest, "Throttling", "Rate exceeded")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			bad := false
			w := &wire{answer: func(action string, _ int, req *http.Request) (*http.Response, error) {
				switch {
				case action == list && bad:
					return answer(req)
				case action == list:
					return listed(weighted("A", "blue", 50), weighted("A", "green", 50))
				case !strings.Contains(bodyOf(t, req), "<Action>UPSERT</Action>"):
					t.Errorf("%s: the batch has a condition", name)
				}
				return accepted()
			}}
			_, rollback := pair(w, route53.Options{})
			states, err := rollback.Read(t.Context(), []string{web})
			must(t, err)
			states[0].Weights = map[string]int{blue: 100, green: 0}
			bad = true
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			if err := rollback.Write(ctx, web, states[0]); err != nil || time.Since(began) > 5*time.Second {
				t.Errorf("%s: Write returned %v after %s", name, err, time.Since(began))
			}
		})
	}
}

// A batch that is refused although nothing changed is no change by somebody else.
func TestWrite_refusedForAnotherReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
			if action == list {
				return listed(weighted("A", "blue", 50), weighted("A", "green", 50))
			}
			return reply(http.StatusBadRequest, `<InvalidChangeBatch><Messages><Message>something is wrong</Message></Messages></InvalidChangeBatch>`)
		}}
		forward, _ := pair(w, route53.Options{})
		states, err := forward.Read(t.Context(), []string{web})
		must(t, err)
		states[0].Weights = map[string]int{blue: 40, green: 60}
		err = forward.Write(t.Context(), web, states[0])
		call, ok := errors.AsType[*route53.CallError](err)
		if !ok || !call.Refused() || errors.Is(err, route53.ErrChanged) || w.changes() != 1 {
			t.Errorf("Write returned %v after %d changes", err, w.changes())
		}
		if want := "route53:ChangeResourceRecordSets of app.example.com A: InvalidChangeBatch: something is wrong"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}
