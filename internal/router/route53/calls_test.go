package route53_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// names creates a number of names with record sets of blue and green of a type, and returns their routes.
func (d *dns) names(n int, pattern string, kinds ...types.RRType) (routes []string) {
	d.t.Helper()
	var sets []types.ResourceRecordSet
	for i := range n {
		host := fmt.Sprintf(pattern, i)
		for _, kind := range kinds {
			for identifier, weight := range map[string]int{"blue": 1, "green": 0} {
				s := record(kind, identifier, weight)
				s.Name = &host
				sets = append(sets, s)
			}
			routes = append(routes, d.route(host, string(kind)))
		}
	}
	d.change(types.ChangeActionCreate, sets...)
	return routes
}

// A step reads the routes, writes them, which reads them again, reads them back, and asks whether they are in sync.
// An account has five requests per second.
func TestCallsOfAStep(t *testing.T) {
	t.Parallel()
	d := newDNS(t, localaws.WithRecordPropagation(0))
	for _, c := range []struct {
		records        int
		before, listed int // calls of ListResourceRecordSets: one for each name, and now
	}{{1, 3, 3}, {10, 30, 3}, {25, 75, 3}, {100, 300, 3}} {
		z := d.anotherZone()
		z.forward, z.rollback = d.forward, d.rollback
		z.names(30, "a%d.example.com", types.RRTypeA)
		routes := z.names(c.records, "m%d.example.com", types.RRTypeA)
		z.names(30, "z%d.example.com", types.RRTypeA)
		calls := d.during(func() {
			states, err := d.forward.Read(t.Context(), routes)
			must(t, err)
			desired := map[string]traffic.State{}
			for i, id := range routes {
				s := states[i]
				for group := range s.Weights {
					s.Weights = map[string]int{group: 1, group[:len(group)-len("blue")] + "green": 1}
				}
				desired[id] = s
			}
			for id, err := range writeAll(t.Context(), d.forward, desired) {
				if err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
			_, err = d.forward.Read(t.Context(), routes)
			must(t, err)
			_, err = d.forward.InSync(t.Context(), routes)
			must(t, err)
		})
		if want := fmt.Sprintf("%s 1, GetChange 1, %s %d", change, list, c.listed); calls != want {
			t.Errorf("a step of %d records made %s, want %s (one call for each name: %d)", c.records, calls, want, c.before)
		}
	}
}

// Names share a call although they are far apart, and one that an answer cuts in the middle is complete.
func TestRead_sharedCalls(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	const identifiers = 90
	var routes []string
	for _, host := range []string{"a.example.com", "b.a.example.com", "c.example.com", "d.example.com", "e.example.com"} {
		var sets []types.ResourceRecordSet
		for i := range identifiers {
			s := record(types.RRTypeA, fmt.Sprintf("env%02d", i), 1)
			s.Name = new(host)
			sets = append(sets, s)
		}
		d.change(types.ChangeActionCreate, sets...)
		routes = append(routes, d.route(host, "A"))
	}
	slices.Reverse(routes) // the order of the caller does not matter
	calls := d.during(func() {
		states, err := d.forward.Read(t.Context(), routes)
		must(t, err)
		for i, s := range states {
			if len(s.Weights) != identifiers {
				t.Errorf("%s has %d groups", routes[i], len(s.Weights))
			}
		}
	})
	if calls != list+" 2" {
		t.Errorf("it made %s", calls)
	}
	far := append(routes[:2:2], d.names(1, "%d.zz.example.com", types.RRTypeA)...)
	d.names(400, "m%d.example.com", types.RRTypeTxt)
	if calls = d.during(func() { _, err := d.forward.Read(t.Context(), far); must(t, err) }); calls != list+" 2" {
		t.Errorf("two regions made %s", calls)
	}
	_, err := d.forward.Read(t.Context(), append(routes, d.route("b.example.com", "A"), d.route("x.example.com", "A")))
	if !isMissing(err, d.route("b.example.com", "A")) {
		t.Errorf("a missing name returned %v", err)
	}
}
