package kubernetes_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// What a fault of the API makes of a write, and of a second one after a read.
func TestWrite_withFaults(t *testing.T) {
	half, blue := traffic.State{Weights: half}, traffic.State{Weights: map[string]int{group("web-blue"): 1}}
	for name, tt := range map[string]struct {
		fault localkube.Fault
		err   bool
		is    error // nil: it is not known what became of the write
		after traffic.State
	}{
		"no answer":              {localkube.Fault{Kind: localkube.DropAnswer, Verb: "update"}, true, nil, half},
		"no connection":          {localkube.Fault{Kind: localkube.DropConnection, Verb: "update"}, true, nil, blue},
		"a server error":         {localkube.Fault{Kind: localkube.ServerError, Verb: "update"}, true, nil, blue},
		"a page of a proxy":      {localkube.Fault{Kind: localkube.HTMLBody, Verb: "update"}, true, traffic.ErrIncomplete, half},
		"an empty answer":        {localkube.Fault{Kind: localkube.EmptyBody, Verb: "update"}, true, traffic.ErrIncomplete, half},
		"a lost write":           {localkube.Fault{Kind: localkube.LostWrite, Verb: "update"}, false, nil, blue},
		"a server error of get":  {localkube.Fault{Kind: localkube.ServerError, Verb: "get", Resource: "httproutes"}, true, nil, blue},
		"a page for the get":     {localkube.Fault{Kind: localkube.HTMLBody, Verb: "get", Resource: "httproutes"}, true, traffic.ErrIncomplete, blue},
		"no Service for a while": {localkube.Fault{Kind: localkube.ServerError, Verb: "get", Resource: "services"}, true, nil, blue},
	} {
		t.Run(name, func(t *testing.T) {
			c := shopWith(t)
			s := c.read(t, web)
			s.Weights = half.Weights
			remove := c.Inject(tt.fault)
			limited, cancel := context.WithTimeout(t.Context(), slow.Deadline(time.Second)) // reads are repeated until then
			defer cancel()
			err := c.forward.Write(limited, web, s)
			if (err != nil) != tt.err || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v", err)
			}
			for _, answer := range []error{traffic.ErrDenied, traffic.ErrExpired, traffic.ErrNotFound, traffic.ErrThrottled, traffic.ErrRefusedRecord, kubernetes.ErrChanged} {
				if errors.Is(err, answer) {
					t.Errorf("%v says %v", err, answer)
				}
			}
			remove()
			if got := c.read(t, web); !got.Equal(tt.after) {
				t.Errorf("the route has %v, want %v", got.Weights, tt.after.Weights)
			}
			must(t, c.forward.Write(t.Context(), web, s))
			must(t, c.rollback.Write(t.Context(), web, traffic.State{Weights: blue.Weights, Raw: s.Raw}))
			if got := c.read(t, web); !got.Equal(blue) {
				t.Errorf("rolled back to %v", got.Weights)
			}
		})
	}
}

// A rollback writes whatever a read runs into.
func TestWrite_rollsBackWithFaultsOfReads(t *testing.T) {
	for _, kind := range []localkube.Kind{localkube.ServerError, localkube.DropConnection, localkube.HTMLBody, localkube.EmptyBody, localkube.Forbidden} {
		c := shopWith(t)
		s := c.read(t, web)
		must(t, c.write(t, c.forward, web, half))
		remove := c.Inject(localkube.Fault{Kind: kind, Verb: "get"})
		must(t, c.rollback.Write(t.Context(), web, s))
		remove()
		if got := c.read(t, web); !got.Equal(s) {
			t.Errorf("%s: rolled back to %v", kind, got.Weights)
		}
	}
}

// An update that was carried out, though its answer was lost and the next one conflicts, is a success.
func TestWrite_findsItsOwnWrite(t *testing.T) {
	c := shopWith(t)
	c.beforeUpdate(func(o object) {
		inner(o, "spec", "rules", 0).(object)["backendRefs"] = []any{backendRef("web-blue", 1), backendRef("web-green", 1)} //nolint:forcetypeassert // it is one
	})
	must(t, c.write(t, c.forward, web, half))
	if n := c.Count("update", "httproutes"); n != 1 {
		t.Errorf("%d updates were sent", n)
	}
}

// In the middle of a write, the object is deleted, or another one takes its name.
func TestWrite_toAnObjectThatIsRecreated(t *testing.T) {
	for name, tt := range map[string]struct {
		next object // nil: it is only deleted
		err  error
	}{
		"deleted":            {nil, traffic.ErrNotFound},
		"the same":           {route("HTTPRoute", "web", []any{backendRef("web-blue", 1)}), nil},
		"with other weights": {route("HTTPRoute", "web", []any{backendRef("web-blue", 1), backendRef("web-green", 3)}), kubernetes.ErrChanged},
		"with other rules":   {route("HTTPRoute", "web", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}), kubernetes.ErrAmbiguous},
		"without rules":      {route("HTTPRoute", "web"), kubernetes.ErrNoRule},
	} {
		t.Run(name, func(t *testing.T) {
			c := shopWith(t)
			recorder := kubernetes.NewRecorder(c.forward)
			must(t, recorder.Put(t.Context(), []string{web}, traffic.Record{Shift: "s1", Phase: traffic.PhaseOpen}, true))
			var once sync.Once
			c.Hook(func(r localkube.Request) {
				if r.Verb == "update" {
					once.Do(func() {
						if c.Remove(httpRoutes, "shop", "web"); tt.next != nil {
							c.Put(tt.next)
						}
					})
				}
			})
			err := c.write(t, c.forward, web, half)
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Fatalf("got %v, want %v", err, tt.err)
			}
			if missing, is := traffic.Missing(err); tt.next == nil && (!is || missing != web) {
				t.Errorf("the missing route is %q", missing)
			}
			if tt.err != nil {
				return
			}
			found, err := recorder.Records(t.Context(), []string{web})
			must(t, err)
			if got := c.read(t, web); !got.Equal(traffic.State{Weights: half}) || len(found[web]) != 1 {
				t.Errorf("the new object has %v and the records %v", got.Weights, found[web])
			}
		})
	}
}

// Records conflict with everything that writes the object. They end too where it changes again and again.
func TestRecorder_endsInAConflictStorm(t *testing.T) {
	c := shopWith(t)
	recorder := kubernetes.NewRecorder(c.forward)
	remove := c.Inject(localkube.Fault{Kind: localkube.Conflict, Verb: "update", Times: 3})
	must(t, recorder.Put(t.Context(), []string{web}, traffic.Record{Shift: "s1"}, true))
	remove()
	remove = c.Inject(localkube.Fault{Kind: localkube.Conflict, Verb: "update"})
	before := c.Count("update", "httproutes")
	if err := recorder.Remove(t.Context(), []string{web}, "s1"); !errors.Is(err, kubernetes.ErrBusy) || errors.Is(err, traffic.ErrRefusedRecord) || c.Count("update", "httproutes") != before+30 {
		t.Errorf("got %v after %d updates", err, c.Count("update", "httproutes")-before)
	}
	remove()
	must(t, recorder.Remove(t.Context(), []string{web}, "s1"))
	if found, err := recorder.Records(t.Context(), []string{web}); err != nil || len(found) != 0 {
		t.Errorf("the records are %v, %v", found, err)
	}
}

// Several routes of one object are written at the same time, and their records: no write is lost.
func TestWrite_ofSeveralRulesAtOnce(t *testing.T) {
	c := shopWith(t)
	rules := [][]any{}
	var ids []string
	for i := range 6 {
		rules, ids = append(rules, []any{backendRef("web-blue", 1)}), append(ids, "httproute/shop/api#r"+string(rune('0'+i)))
	}
	c.Put(route("HTTPRoute", "api", rules...))
	states, err := c.forward.Read(t.Context(), ids)
	must(t, err)
	recorder := kubernetes.NewRecorder(c.forward)
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() {
			next := states[i]
			next.Weights = map[string]int{group("web-blue"): 100 - i, group("web-green"): i + 1}
			for err := kubernetes.ErrBusy; errors.Is(err, kubernetes.ErrBusy); { // as the engine does, which reads and tries again
				if err = c.forward.Write(t.Context(), id, next); err != nil && !errors.Is(err, kubernetes.ErrBusy) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	must(t, recorder.Put(t.Context(), ids[:2], traffic.Record{Shift: "s1"}, true))
	for i, id := range ids {
		if got := c.read(t, id).Weights; got[group("web-green")] != i+1 || got[group("web-blue")] != 100-i {
			t.Errorf("%s has %v", id, got)
		}
	}
	found, err := recorder.Records(t.Context(), ids)
	if err != nil || len(found) != 2 {
		t.Errorf("the records are %v, %v", found, err)
	}
}

// Conditions that follow late make a route in sync late. Until then it is neither in sync nor refused.
func TestInSync_withSlowConditions(t *testing.T) {
	c := shopWith(t, localkube.WithPropagation(50*time.Millisecond))
	must(t, c.write(t, c.forward, web, half))
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(10*time.Second))
	defer cancel()
	for synced := false; !synced; {
		var err error
		synced, err = c.forward.InSync(ctx, []string{web})
		must(t, err)
	}
	o := c.Object(httpRoutes, "shop", "web")
	if observed := inner(o, "status", "parents", 0, "conditions", 0, "observedGeneration"); observed != inner(o, "metadata", "generation") {
		t.Errorf("generation %v is in sync, and the controller has seen %v", inner(o, "metadata", "generation"), observed)
	}
}
