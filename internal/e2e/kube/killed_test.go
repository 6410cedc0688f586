//go:build linux

package kube

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// builders are those of a world by the kind of its route.
var builders = map[string]func(*testing.T) *world{"HTTPRoute": newWorld, "VirtualService": newMeshWorld}

// killed returns a release of green that is killed at a write, from 1, or in the hold of its first step (0).
func killed(t *testing.T, kind string, victims e2e.Victims, at int) *world {
	t.Helper()
	w := builders[kind](t)
	w.config.steps = endless
	if at > 0 {
		w.config.steps = `[{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`
	}
	w.activate("green")
	if at == 0 {
		apply := w.Start()
		w.inHold(5)
		apply.Kill(victims)
	} else {
		w.strike(victims, at)
	}
	w.config.steps = `[{ percent = 5, hold = "1s" }]`
	w.write()
	return w
}

// strike kills an apply when its n-th write arrives. The write is executed, but nobody receives its answer.
func (w *world) strike(victims e2e.Victims, n int) {
	w.t.Helper()
	var apply *e2e.Apply
	started, struck := make(chan struct{}), make(chan error, 1)
	w.front.atWrite(n, func() bool {
		<-started
		struck <- apply.Strike(victims)
		return true
	})
	apply = w.Start()
	close(started)
	out, _ := apply.Wait()
	select {
	case err := <-struck:
		must(w.t, err)
	default:
		w.t.Fatalf("the apply was not killed:\n%s", out)
	}
}

// Terraform and the provider are killed at a write or in a hold: the guardian returns the traffic to blue under load,
// and the next apply releases green.
func TestKilled_withAGuardian(t *testing.T) {
	for _, kind := range []string{"HTTPRoute", "VirtualService"} {
		for _, at := range []int{0, 3} {
			t.Run(fmt.Sprintf("%s, write %d", kind, at), func(t *testing.T) {
				t.Parallel()
				w := killed(t, kind, e2e.AllButGuards, at)
				load := w.load()
				w.Eventually("the traffic is back", func() bool { return w.has("blue", 100) })
				w.Eventually("the guardian has ended", func() bool { return !e2e.RunsGuardian(w.Terraform.Dir) })
				w.mustHaveAll("blue")
				w.more(load, 100)
				w.MustApply(e2e.Unlocked)
				w.mustHaveAll("green")
				w.lostNothing(load)
			})
		}
	}
}

// Everything is killed at a write or in a hold: the next apply completes the release, or rolls it back where the line
// was reverted.
func TestKilled_withoutAGuardian(t *testing.T) {
	for _, x := range []struct {
		kind string
		at   int
	}{{"HTTPRoute", 0}, {"HTTPRoute", 4}, {"VirtualService", 4}} {
		for _, then := range []string{"green", "blue"} {
			t.Run(fmt.Sprintf("%s, write %d, then %s", x.kind, x.at, then), func(t *testing.T) {
				t.Parallel()
				w := killed(t, x.kind, e2e.Everything, x.at)
				load := w.load()
				w.activate(then)
				w.MustApply(e2e.Unlocked)
				w.mustHaveAll(then)
				w.mustBeSettled(e2e.Unlocked)
				w.lostNothing(load)
			})
		}
	}
}
