package kubernetes_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// others change an HTTPRoute between the requests of a router, by a script, and remember what they wrote.
type others struct {
	cluster *cluster
	script  []string // what is done before each request; empty: nothing
	written map[string]any
	weights []map[string]int // of the rule of the router, since its last Read
	n       int
}

// at are the places of what others write.
func at(action string) []any {
	return map[string][]any{
		"label":      {"metadata", "labels", "team"},
		"annotation": {"metadata", "annotations", "example.com/note"},
		"hostname":   {"spec", "hostnames", 0},
		"timeout":    {"spec", "rules", 0, "timeouts", "request"},
		"filter":     {"spec", "rules", 0, "backendRefs", 0, "filters", 0, "requestHeaderModifier", "set", 0, "value"},
		"other rule": {"spec", "rules", 1, "backendRefs", 0, "filters", 0, "requestHeaderModifier", "set", 0, "value"},
	}[action]
}

func (x *others) before(localkube.Request) {
	if len(x.script) == 0 {
		return
	}
	action := x.script[0]
	x.script = x.script[1:]
	x.n++
	o := x.cluster.Object(httpRoutes, "shop", "web")
	switch action {
	case "":
		return
	case "status":
		o["status"] = object{"parents": []any{}, "x-seen": x.n}
	case "recreate":
		x.cluster.Remove(httpRoutes, "shop", "web")
	case "50:50", "1:0", "9:1", "0:1":
		refs, _ := inner(o, "spec", "rules", 0, "backendRefs").([]any)
		blue, green := 0, 0
		_, err := fmt.Sscanf(action, "%d:%d", &blue, &green)
		if err != nil {
			panic(err)
		}
		refs[0].(object)["weight"], refs[1].(object)["weight"] = blue, green //nolint:forcetypeassert // they are
		x.weights = append(x.weights, positive(map[string]int{group("web-blue"): blue, group("web-green"): green}))
	default:
		value := fmt.Sprintf("%ds", x.n)
		x.written[action] = value
		set(o, at(action), value)
	}
	x.cluster.Put(o)
}

// set sets the value at a path, whose parts exist but for maps.
func set(o any, path []any, value any) {
	for _, step := range path[:len(path)-1] {
		next := inner(o, step)
		if m, is := o.(object); next == nil && is {
			next = object{}
			m[step.(string)] = next //nolint:forcetypeassert // a map has fields
		}
		o = next
	}
	switch last := path[len(path)-1].(type) {
	case string:
		o.(object)[last] = value //nolint:forcetypeassert // a map has fields
	case int:
		o.([]any)[last] = value //nolint:forcetypeassert // a list has elements
	}
}

// Whatever others write between the requests of a router, none of it is lost, and weights that the router does not
// know are never replaced.
func TestWrite_losesNothingOfOthers(t *testing.T) {
	c := shopWith(t)
	rapid.Check(t, func(t *rapid.T) {
		c.Hook(nil)
		c.Remove(httpRoutes, "shop", "web")
		c.Put(route("HTTPRoute", "web", []any{backendRef("web-blue", 1), backendRef("web-green", 0)}, []any{backendRef("web-blue", 1)}))
		x := &others{cluster: c, written: map[string]any{}}
		x.script = rapid.SliceOfN(rapid.SampledFrom([]string{"", "", "label", "annotation", "hostname", "timeout", "filter", "other rule", "status", "recreate",
			"50:50", "1:0", "9:1", "0:1"}), 0, 12).Draw(t, "script")
		c.Hook(x.before)
		for range 3 {
			x.step(t, c.forward)
		}
	})
	c.Hook(nil)
}

// step reads and writes, as a step of a shift does, and checks what became of it.
func (x *others) step(t *rapid.T, router *kubernetes.Router) {
	const id = "httproute/shop/web#r0"
	states, err := router.Read(t.Context(), []string{id})
	noError(t, err)
	x.weights = nil // those that the read has seen
	read := states[0].Weights
	next := states[0]
	next.Weights = rapid.SampledFrom([]map[string]int{
		{group("web-blue"): 50, group("web-green"): 50}, {group("web-blue"): 90, group("web-green"): 10}, {group("web-green"): 1},
	}).Draw(t, "goal")
	goal := shift.FromRaw(next.Weights)
	err = router.Write(t.Context(), id, next)
	o := x.cluster.Object(httpRoutes, "shop", "web")
	for action, value := range x.written {
		if got := inner(o, at(action)...); got != value {
			t.Fatalf("others wrote %s %v, and the route has %v", action, value, got)
		}
	}
	final := shift.Weights{}
	refs, _ := inner(o, "spec", "rules", 0, "backendRefs").([]any)
	raw := map[string]int{}
	for _, ref := range refs {
		raw[group(inner(ref, "name").(string))] += effective(shapes()[0], ref, len(refs)) //nolint:forcetypeassert // it is one
	}
	maps.Copy(final, shift.FromRaw(positive(raw)))
	var last shift.Weights
	if len(x.weights) > 0 {
		last = shift.FromRaw(x.weights[len(x.weights)-1])
	}
	switch {
	case err == nil && !final.Equal(goal) && (last == nil || !final.Equal(last)):
		t.Fatalf("wrote %v, the route has %v", goal, final)
	case err == nil && last != nil && !slices.ContainsFunc([]shift.Weights{shift.FromRaw(read), goal}, last.Equal) && !final.Equal(last):
		t.Fatalf("others wrote %v after %v was read, and the route has %v", last, read, final)
	case err != nil && !errors.Is(err, kubernetes.ErrChanged):
		t.Fatal(err)
	case err != nil && (last == nil || !final.Equal(last)):
		t.Fatalf("others wrote %v, the route has %v, and the write returned %v", last, final, err)
	}
}
