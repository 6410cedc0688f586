package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// userStory is a shift with two routes that somebody rolls back while it runs.
const userStory = `
env blue 1.4.2
env green 1.5.0
route web blue=100 green=0
route api blue=100 green=0
targets blue 2
targets green 2
stable blue
desired green
steps 5/1m 50/10m
bake 1m
record
`

// asked is a rollback that somebody asked for while a shift ran.
type asked struct {
	p        *player
	failure  *rollout.Failure // of the shift
	ended    time.Duration    // how long after the command the shift ended
	returned rollout.Returned
	err      error
	took     time.Duration
	back     time.Duration  // after the command: all traffic is back
	writes   map[string]int // of the command and of the shift, by route, after the command began
	left     []traffic.Record
}

// ask plays a story, and rolls it back at a time with a command.
func ask(t *testing.T, script string, at time.Duration, edit func(*rollout.Handover, *rollout.Successor)) (x asked) {
	t.Helper()
	p := newPlayer(parse(script))
	p.setUp()
	spec := p.spec()
	spec.OnEvent = nil
	x = asked{p: p, writes: map[string]int{}}
	ran := make(chan struct{})
	var endedAt time.Time
	go func() {
		defer close(ran)
		_, err := rollout.Run(t.Context(), spec)
		endedAt = time.Now()
		x.failure, _ = errors.AsType[*rollout.Failure](err)
	}()
	<-time.After(at)
	from, began := len(p.memory.Calls()), time.Now()
	h, by := handoverOf(t, p)
	if edit != nil {
		edit(&h, &by)
	}
	by.OnEvent = func(e rollout.Event) {
		if e.Kind == rollout.WeightsVerified {
			x.back = time.Since(began)
		}
	}
	x.returned, x.err = rollout.RollBack(t.Context(), h, by)
	x.took = time.Since(began)
	<-ran
	x.ended = endedAt.Sub(began)
	close(p.release)
	for _, c := range p.memory.Calls()[from:] {
		if c.Op == routertest.Write {
			x.writes[fmt.Sprintf("%s by %s", c.Routes[0], map[bool]string{true: "rollback", false: "forward"}[c.Rollback])]++
		}
	}
	x.left = p.memory.Recorder().Now("web")
	return x
}

// handoverOf is the handover of a command that reads the routes and their records.
func handoverOf(t *testing.T, p *player) (rollout.Handover, rollout.Successor) {
	t.Helper()
	ids := []string{"web", "api"}
	records, err := p.memory.Recorder().Records(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	h := rollout.Handover{Shift: "s1", RollbackTimeout: time.Minute, Moved: true, Reason: "rolled back by bob"}
	states, err := p.memory.Read(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		now := states[i]
		target := now
		target.Weights = map[string]int{id + "-blue": 100, id + "-green": 0}
		h.Routes = append(h.Routes, rollout.HandedRoute{ID: id, Entry: id, Current: now, Target: target, Pending: true})
	}
	if left := traffic.MergeRecords(records); len(left) > 0 {
		h.Record = &rollout.HandedRecord{Record: left[0].Record, Routes: ids}
	}
	return h, rollout.Successor{Router: p.memory.RollbackClient(), Recorder: p.memory.Recorder(), Owner: traffic.Owner{User: "bob"}, Alive: true}
}

// The shift stops wherever it is, writes nothing more, and rejects the version.
func TestRollBack_beside(t *testing.T) {
	for at := 2100 * time.Millisecond; at < 15*time.Minute; at += 7*time.Second + 300*time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			x := ask(t, userStory, at, nil)
			if x.failure == nil { // it had ended
				return
			}
			if x.err != nil || x.returned.Unmarked != nil {
				t.Errorf("at %s: %v, %v", at, x.err, x.returned.Unmarked)
			}
			if x.failure.Cause != rollout.RolledBackByUser || !x.failure.Rejects || x.failure.Detail != "rolled back by bob" ||
				!slices.Contains([]rollout.Disposition{rollout.RolledBack, rollout.Unchanged}, x.failure.Disposition) {
				t.Errorf("at %s the shift ended with %v", at, x.failure)
			}
			if x.ended > 8*time.Second {
				t.Errorf("at %s the shift ended %s after the command", at, x.ended)
			}
			for what, n := range x.writes {
				if strings.HasSuffix(what, "forward") || n > 1 {
					t.Errorf("at %s: %d writes of %s", at, n, what)
				}
			}
			for _, id := range []string{"web", "api"} {
				if w := x.p.memory.Now(id).Weights; w[id+"-green"] > 0 || w[id+"-blue"] == 0 {
					t.Errorf("at %s: %s has %v", at, id, w)
				}
			}
			if len(x.left) > 0 {
				t.Errorf("at %s the record is left: %+v", at, x.left)
			}
		})
	}
}

// A write of the shift that is carried out after that of the command is undone.
func TestRollBack_lateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The write of 50 % has no answer for 12s.
		x := ask(t, userStory+"fault late write by=forward skip=2 for=12s times=2\n", 76*time.Second, nil)
		if x.err != nil || x.took < 12*time.Second {
			t.Errorf("it ended after %s: %v", x.took, x.err)
		}
		for _, id := range []string{"web", "api"} {
			if w := x.p.memory.Now(id).Weights; w[id+"-green"] > 0 {
				t.Errorf("%s has %v", id, w)
			}
		}
		if x.writes["web by rollback"]+x.writes["api by rollback"] < 3 {
			t.Errorf("no late write was undone: %v", x.writes)
		}
	})
}

// Where the record cannot be marked, the traffic is returned all the same.
func TestRollBack_obstacles(t *testing.T) {
	const atHalf = 3 * time.Minute
	for name, c := range map[string]struct {
		script   string
		edit     func(*rollout.Handover, *rollout.Successor)
		err      error
		unmarked bool
		back     time.Duration // at most; 0: not
		cause    rollout.Cause // of the shift
	}{
		"nothing":         {back: time.Second, cause: rollout.RolledBackByUser},
		"tags are denied": {script: "fault refused put skip=3 times=always until=3m40s err=denied\n", back: time.Second, unmarked: true, cause: rollout.ExternalChange},
		"tag calls hang":  {script: "fault blocked put skip=3 times=always until=3m40s\n", back: 4 * time.Second, unmarked: true, cause: rollout.ExternalChange},
		"the API refuses writes": {script: "fault refused write by=rollback times=always until=3m5s\n", back: 10 * time.Second,
			cause: rollout.RolledBackByUser},
		"blue has no healthy target":            {script: "at 2m0s targets blue 2 unhealthy\n", err: rollout.ErrTargetUnhealthy, cause: ""},
		"blue has no healthy target, but force": {script: "at 2m0s targets blue 2 unhealthy\n", edit: func(_ *rollout.Handover, by *rollout.Successor) { by.Force = true }, back: time.Second, cause: rollout.RolledBackByUser},
		"health cannot be read":                 {script: "fault blocked health by=rollback times=always\n", back: 4 * time.Second, cause: rollout.RolledBackByUser},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := ask(t, userStory+c.script, atHalf, c.edit)
				if !errors.Is(x.err, c.err) || (x.returned.Unmarked != nil) != c.unmarked {
					t.Errorf("got %v, unmarked %v", x.err, x.returned.Unmarked)
				}
				cause := rollout.Cause("")
				if x.failure != nil {
					cause = x.failure.Cause
				}
				if cause != c.cause {
					t.Errorf("the shift ended with %v, want %q", x.failure, c.cause)
				}
				if c.back == 0 {
					if len(x.writes) > 0 && x.writes["web by rollback"] > 0 {
						t.Errorf("writes %v", x.writes)
					}
					return
				}
				if x.back > c.back || !x.returned.Moved {
					t.Errorf("the traffic was back after %s, want %s; %+v", x.back, c.back, x.returned)
				}
				for _, r := range x.returned.Routes {
					if w := shift.FromRaw(r.State.Weights); !r.Read || r.Missing || len(w.Names()) != 1 {
						t.Errorf("%+v", r)
					}
				}
			})
		})
	}
}

// Where the rollback does not complete in time, the routes are read back all the same: the time may end between the last write and its read.
func TestRollBack_isReadWhenTheTimeIsUp(t *testing.T) {
	for _, kind := range []string{"blocked", "refused", "slow"} {
		synctest.Test(t, func(t *testing.T) {
			script := fmt.Sprintf("fault %s write by=rollback for=7s times=always\n", kind)
			x := ask(t, userStory+script, 3*time.Minute, func(h *rollout.Handover, _ *rollout.Successor) { h.RollbackTimeout = 6 * time.Second })
			if x.err == nil || x.took > 9*time.Second {
				t.Errorf("%s: ended after %s: %v", kind, x.took, x.err)
			}
			for i, r := range x.returned.Routes {
				if !r.Read || r.Missing {
					t.Errorf("%s: route %d was not read back: %+v", kind, i, r)
				}
			}
		})
	}
}

// Whether the owner of a record has ended is known at once, or after a lease.
func TestIsAbandoned(t *testing.T) {
	for owner, want := range map[string]struct {
		abandoned bool
		longest   time.Duration
	}{"dead": {true, 0}, "alive": {false, 0}, "unknown": {true, 4 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			memory := routertest.NewMemory()
			memory.AddRoute("web", traffic.State{Weights: map[string]int{"web-blue": 1}})
			memory.Recorder().Set("web", traffic.Record{Shift: "s1", Phase: traffic.PhaseOpen, Owner: traffic.Owner{User: owner}, Expires: time.Now().Add(time.Minute)})
			records, err := memory.Recorder().Records(t.Context(), []string{"web"})
			if err != nil {
				t.Fatal(err)
			}
			spec := rollout.RecordSpec{Recorder: memory.Recorder(), Abandoned: func(o traffic.Owner) (bool, bool) { return o.User == "dead", o.User != "unknown" }}
			began := time.Now()
			got, err := rollout.IsAbandoned(t.Context(), spec, []string{"web"}, traffic.MergeRecords(records)[0])
			if took := time.Since(began); err != nil || got != want.abandoned || took > want.longest || want.longest > 0 && took < 3*time.Minute {
				t.Errorf("%s: %t after %s, %v", owner, got, took, err)
			}
		})
	}
}

// The targets of a group that no action has are not checked, so that nothing is known against them.
func TestRollBack_toADetachedGroup(t *testing.T) {
	healthy := []traffic.Target{{ID: "1", State: traffic.Healthy}}
	for name, c := range map[string]struct {
		blue     []traffic.Target
		attached bool
		err      error
	}{
		"it has targets":               {blue: healthy},
		"it has none":                  {err: rollout.ErrTargetUnhealthy},
		"attached, in a disabled zone": {blue: []traffic.Target{{ID: "1", State: traffic.Unused}}, attached: true, err: rollout.ErrTargetUnhealthy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := routertest.NewMemory()
				memory.SetTargets("web-green", healthy...)
				memory.SetTargets("web-blue", c.blue...)
				now := traffic.State{Weights: map[string]int{"web-green": 1}}
				if c.attached {
					now.Weights["web-blue"] = 0
				}
				memory.AddRoute("web", now)
				time.Sleep(time.Minute) // virtual: the first checks are over
				back := traffic.State{Weights: map[string]int{"web-blue": 1}}
				_, err := rollout.RollBack(t.Context(), rollout.Handover{RollbackTimeout: time.Minute, Moved: true,
					Routes: []rollout.HandedRoute{{ID: "web", Entry: "web", Current: memory.Now("web"), Target: back}}}, rollout.Successor{Router: memory.RollbackClient()})
				if !errors.Is(err, c.err) {
					t.Errorf("got %v, want %v", err, c.err)
				}
				if moved := memory.Now("web").EqualTraffic(back); moved != (c.err == nil) {
					t.Errorf("the route has %v", memory.Now("web"))
				}
			})
		})
	}
}

// A command that marks the record while the shift detaches groups at its end is not overlooked.
func TestRollBack_atTheEnd(t *testing.T) {
	met := 0
	for at := 13*time.Minute + 12*time.Second; at < 13*time.Minute+40*time.Second; at += 310 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			recorded := false
			x := ask(t, userStory+"detach_idle\nfault slow write by=forward for=9s skip=6 times=2\n", at, func(h *rollout.Handover, _ *rollout.Successor) {
				recorded = h.Record != nil && h.Record.Record.Phase != traffic.PhaseCompleted
			})
			if !recorded {
				return
			}
			met++
			if x.err != nil || x.failure == nil || x.failure.Cause != rollout.RolledBackByUser || !x.failure.Rejects {
				t.Errorf("at %s: the command ended with %v, the shift with %v", at, x.err, x.failure)
			}
			for _, id := range []string{"web", "api"} {
				if w := x.p.memory.Now(id).Weights; w[id+"-green"] > 0 || w[id+"-blue"] == 0 {
					t.Errorf("at %s: %s has %v", at, id, w)
				}
			}
		})
	}
	if met < 20 {
		t.Errorf("only %d of the commands came in time", met)
	}
}
