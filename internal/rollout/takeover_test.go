package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// mortal is the router and recorder of a process that dies: from then on its calls do nothing.
// A call that is in progress is canceled, or carried out.
type mortal struct {
	traffic.Router
	traffic.Recorder
	died    context.Context
	cancels bool
}

func (m mortal) context(ctx context.Context) (context.Context, context.CancelFunc) {
	if !m.cancels {
		return context.WithoutCancel(ctx), func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.died, cancel)
	return ctx, func() { stop(); cancel() }
}

// do makes a call, or waits until its context ends where the process is dead.
func (m mortal) do(ctx context.Context, call func(context.Context) error) error {
	if m.died.Err() == nil {
		limited, cancel := m.context(ctx)
		defer cancel()
		return call(limited)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (m mortal) Read(ctx context.Context, routes []string) (states []traffic.State, err error) {
	err = m.do(ctx, func(ctx context.Context) (err error) { states, err = m.Router.Read(ctx, routes); return err })
	return states, err
}

func (m mortal) Write(ctx context.Context, route string, desired traffic.State) error {
	return m.do(ctx, func(ctx context.Context) error { return m.Router.Write(ctx, route, desired) })
}

func (m mortal) Health(ctx context.Context, groups []string) (health map[string]traffic.Health, err error) {
	err = m.do(ctx, func(ctx context.Context) (err error) { health, err = m.Router.Health(ctx, groups); return err })
	return health, err
}

func (m mortal) Records(ctx context.Context, routes []string) (found map[string][]traffic.Record, err error) {
	err = m.do(ctx, func(ctx context.Context) (err error) { found, err = m.Recorder.Records(ctx, routes); return err })
	return found, err
}

func (m mortal) Put(ctx context.Context, routes []string, r traffic.Record, whole bool) error {
	return m.do(ctx, func(ctx context.Context) error { return m.Recorder.Put(ctx, routes, r, whole) })
}

func (m mortal) Remove(ctx context.Context, routes []string, id string) error {
	return m.do(ctx, func(ctx context.Context) error { return m.Recorder.Remove(ctx, routes, id) })
}

// heldHandover is a Guardian that only keeps what was handed over.
type heldHandover struct {
	mu       sync.Mutex
	last     *rollout.Handover
	released bool
	aborted  chan struct{}
	err      error
}

func (g *heldHandover) Process(context.Context) (traffic.Process, error) {
	return traffic.Process{PID: 7}, g.err
}

func (g *heldHandover) Hand(h rollout.Handover) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = &h
}

func (g *heldHandover) Release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last, g.released = nil, true
	return g.err
}

func (g *heldHandover) Aborted() <-chan struct{} { return g.aborted }

// taken is what became of a shift whose process died.
type taken struct {
	p        *player
	handed   *rollout.Handover
	released bool
	err      error
	took     time.Duration
	stayed   time.Duration   // until the successor ended
	soon     []traffic.State // five seconds and four calls after the death
	phase    traffic.Phase
	reason   string
	writes   map[string]int // of the successor
}

// dieAt plays a story whose process dies at a time, and takes it over.
func dieAt(script string, at time.Duration, cancels bool) taken { return die(script, at, cancels, nil) }

// die is dieAt; prepare is what happens before the successor acts.
func die(script string, at time.Duration, cancels bool, prepare func(*taken)) taken {
	p := newPlayer(parse(script))
	p.setUp()
	died, kill := context.WithCancel(context.Background())
	guardian := &heldHandover{aborted: make(chan struct{})}
	spec := p.spec()
	dead := mortal{Router: p.memory, Recorder: p.memory.Recorder(), died: died, cancels: cancels}
	back := dead
	back.Router = p.memory.RollbackClient()
	spec.Router, spec.RollbackRouter, spec.Record.Recorder, spec.OnEvent = dead, back, dead, nil
	spec.StartGuardian = func(context.Context, string) rollout.Guardian { return guardian }
	ended := make(chan struct{})
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	go func() {
		_, _ = rollout.Run(ctx, spec)
		close(ended)
	}()
	<-time.After(at)
	guardian.mu.Lock()
	x := taken{p: p, handed: guardian.last, released: guardian.released, writes: map[string]int{}}
	guardian.mu.Unlock()
	kill()
	if prepare != nil {
		prepare(&x)
	}
	if x.handed != nil {
		x.takeOver()
	}
	interrupt()
	<-ended
	close(p.release)
	return x
}

func (x *taken) takeOver() {
	began := time.Now()
	soon := make(chan struct{})
	time.AfterFunc(7*time.Second, func() {
		for _, r := range x.p.story.routes {
			if _, err := x.p.memory.Read(context.Background(), []string{r.id}); err == nil { // it exists
				x.soon = append(x.soon, x.p.memory.Now(r.id))
			}
		}
		close(soon)
	})
	from := len(x.p.memory.Calls())
	x.err = rollout.TakeOver(context.Background(), *x.handed, rollout.Successor{Router: x.p.memory.RollbackClient(), Recorder: x.p.memory.Recorder(), Owner: traffic.Owner{User: "guardian"}})
	x.took = time.Since(began)
	if x.err == nil {
		rollout.UndoLate(context.Background(), *x.handed, rollout.Successor{Router: x.p.memory.RollbackClient(), Recorder: x.p.memory.Recorder(), Owner: traffic.Owner{User: "guardian"}})
	}
	x.stayed = time.Since(began)
	for _, c := range x.p.memory.Calls()[from:] {
		if c.Op == routertest.Write && c.Rollback {
			x.writes[c.Routes[0]]++
		}
	}
	<-soon
	x.p.memory.FinishLate()
	records, _ := x.p.memory.Recorder().Records(context.Background(), []string{x.p.story.routes[0].id})
	for _, found := range records {
		for _, r := range found {
			x.phase, x.reason = r.Phase, r.Reason
		}
	}
}

// violations checks that the traffic is back soon, and stays.
func (x *taken) violations(phases ...traffic.Phase) []string {
	var all []string
	for i, r := range x.p.story.routes {
		if soon := x.soon[i]; !soon.EqualTraffic(r.state) {
			all = append(all, fmt.Sprintf("%s has %v soon after the death", r.id, soon.Weights))
		}
		if now := x.p.memory.Now(r.id); !now.EqualTraffic(r.state) {
			all = append(all, fmt.Sprintf("%s has %v at the end", r.id, now.Weights))
		}
		pending := x.handed.Routes[i].Pending // one of the writes may be the dead owner's
		if x.writes[r.id] > 1 && !pending {
			all = append(all, fmt.Sprintf("%s was written %d times", r.id, x.writes[r.id]))
		}
	}
	if x.err != nil {
		all = append(all, x.err.Error())
	}
	if !slices.Contains(phases, x.phase) {
		all = append(all, fmt.Sprintf("the record has the phase %q", x.phase))
	}
	return all
}

// A process that dies at any moment of a shift: its guardian returns the traffic.
func TestTakeOver_anywhere(t *testing.T) {
	for _, cancels := range []bool{false, true} {
		handed := 0
		for _, at := range interruptTimes(t, longStory) {
			synctest.Test(t, func(t *testing.T) {
				x := dieAt(longStory+"record\n", at, cancels)
				if x.handed == nil {
					return
				}
				handed++
				if v := x.violations(traffic.PhaseRolledBack); len(v) > 0 {
					t.Errorf("died at %s:\n%s", at, strings.Join(v, "\n"))
				}
			})
		}
		if handed < 50 {
			t.Errorf("only %d deaths were taken over", handed)
		}
	}
}

// What a gate said before the process died is not lost.
func TestTakeOver_rejects(t *testing.T) {
	rejected := 0
	for at := 2*time.Minute + 59*time.Second; at < 4*time.Minute; at += 170 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			x := dieAt(longStory+"record\nat 3m0s targets web-green 2 unhealthy\n", at, true)
			if x.handed == nil {
				return
			}
			phase := traffic.PhaseRolledBack
			if x.handed.Reason != "" {
				phase, rejected = traffic.PhaseRejected, rejected+1
			}
			if v := x.violations(phase); len(v) > 0 || x.reason != x.handed.Reason {
				t.Errorf("died at %s:\n%s\nreason %q, want %q", at, strings.Join(v, "\n"), x.reason, x.handed.Reason)
			}
		})
	}
	if rejected < 5 {
		t.Errorf("only %d deaths after the failure", rejected)
	}
}

// A write that the API carries out after the successor's is undone.
func TestTakeOver_lateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := longStory + "record\n"
		began := 0 * time.Second
		for at := time.Second; began == 0; at += 300 * time.Millisecond {
			if x := dieAt(script, at, false); x.handed != nil && slices.ContainsFunc(x.handed.Routes, func(r rollout.HandedRoute) bool { return r.Pending && x.handed.Moved }) {
				began = at
			}
		}
		x := dieAt(script+"fault late write for=9s by=forward times=always\n", began+9*time.Second, false)
		if x.writes["web"]+x.writes["api"] < 3 {
			t.Errorf("no late write was undone: %v", x.writes)
		}
		if v := x.violations(traffic.PhaseRolledBack); len(v) > 0 {
			t.Errorf("died at %s:\n%s", began, strings.Join(v, "\n"))
		}
	})
}

// A process that dies while it rolls back an unfinished shift of another one: the guardian
// finishes that. Without one, the record says that it was no person who returned the traffic.
func TestTakeOver_ofARollback(t *testing.T) {
	const script = `
env blue 1.4.2
env green 1.5.0
route web blue=50 green=50
route api blue=50 green=50
targets blue 2
targets green 2
stable blue
desired blue
steps 50/1m
record
left blue=100 to green=100 reached=50 goal=other
fault slow read for=400ms times=always
fault slow write for=700ms times=always
`
	handed := 0
	for at := 450 * time.Millisecond; at < 3*time.Second; at += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			x := dieAt(script, at, true)
			records, _ := x.p.memory.Recorder().Records(t.Context(), []string{"web"})
			phase := records["web"][0].Phase
			if x.handed == nil {
				return
			}
			handed++
			for _, id := range []string{"web", "api"} {
				if now := x.p.memory.Now(id); now.Weights[id+"-blue"] == 0 || now.Weights[id+"-green"] > 0 {
					t.Errorf("died at %s: %s has %v", at, id, now.Weights)
				}
			}
			if x.err != nil || phase != traffic.PhaseRolledBack {
				t.Errorf("died at %s: the record has the phase %q (%v)", at, phase, x.err)
			}
		})
	}
	if handed < 5 {
		t.Errorf("only %d deaths were taken over", handed)
	}
	synctest.Test(t, func(t *testing.T) { // before any answer, and nobody takes it over
		x := dieAt(script, 1100*time.Millisecond, true)
		if records, _ := x.p.memory.Recorder().Records(t.Context(), []string{"web"}); x.handed == nil || records["web"][0].Phase == traffic.PhaseOpen {
			t.Errorf("the record is %+v", records)
		}
	})
}

// atHalf is when the story that takes over holds at 50 %.
const atHalf = 2*time.Minute + 15*time.Second

// What keeps a successor from returning the traffic, or delays it.
func TestTakeOver_obstacles(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		restore bool // the traffic is back at the end
		err     string
		phase   traffic.Phase
		longest time.Duration
		prepare func(x *taken)
	}{
		"the API fails for a minute": {script: "fault refused write by=rollback times=always until=3m15s\nfault refused read by=rollback times=always until=3m15s\n",
			restore: true, phase: traffic.PhaseRolledBack, longest: 70 * time.Second},
		"the API fails until rollback_timeout": {script: "rollback_timeout 1m\nfault refused write by=rollback times=always\n",
			err: "rollback not verified within 1m", phase: traffic.PhaseRollingBack, longest: time.Minute + time.Second},
		"every call about routes hangs": {script: "rollback_timeout 1m\nfault blocked write by=rollback times=always\nfault blocked read by=rollback times=always\n",
			err: "rollback not verified within 1m", phase: traffic.PhaseRollingBack, longest: time.Minute + time.Second},
		"somebody moved a route": {prepare: func(x *taken) {
			x.p.memory.Change("api", traffic.State{Weights: map[string]int{"api-blue": 70, "api-green": 30}})
		}, err: rollout.ErrChanged.Error(), phase: traffic.PhaseOpen, longest: 5 * time.Second},
		"another apply took over": {prepare: func(x *taken) {
			for _, id := range []string{"web", "api"} {
				x.p.memory.Recorder().RemoveAll(id)
				x.p.memory.Recorder().Set(id, traffic.Record{Shift: "s9", Switch: "this", Phase: traffic.PhaseOpen})
			}
		}, err: rollout.ErrTakenOver.Error(), phase: traffic.PhaseOpen, longest: 5 * time.Second},
		"the shift was rolled back by somebody": {prepare: func(x *taken) {
			for _, id := range []string{"web", "api"} {
				x.p.memory.Recorder().Set(id, traffic.Record{Shift: "s1", Switch: "this", Phase: traffic.PhaseRolledBack})
			}
		}, err: rollout.ErrTakenOver.Error(), phase: traffic.PhaseRolledBack, longest: 5 * time.Second},
		"blue has no healthy target": {prepare: func(x *taken) { x.p.memory.SetTargets("web-blue") },
			err: rollout.ErrTargetUnhealthy.Error(), phase: traffic.PhaseOpen, longest: 5 * time.Second},
		"on_interrupt stops": {script: "stop interrupt\n", phase: traffic.PhaseStopped, longest: 5 * time.Second},
		"a route is gone":    {prepare: func(x *taken) { x.p.memory.RemoveRoute("api") }, restore: true, phase: traffic.PhaseRolledBack, longest: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := strings.ReplaceAll(strings.ReplaceAll(longStory, "fault slow write for=700ms times=always\n", ""), "fault slow read for=400ms times=always\n", "")
				x := die(script+"record\n"+c.script, atHalf, true, c.prepare)
				if x.handed == nil {
					t.Fatal("nothing was handed over")
				}
				if text := fmt.Sprint(x.err); (x.err != nil || c.err != "") && !strings.Contains(text, c.err) || c.err == "" && x.err != nil {
					t.Errorf("got %v, want %q", x.err, c.err)
				}
				if x.took > c.longest || x.phase != c.phase {
					t.Errorf("it took %s, and the record has the phase %q; want at most %s, %q", x.took, x.phase, c.longest, c.phase)
				}
				now := x.p.memory.Now("web")
				if back := now.Weights["web-green"] == 0; back != c.restore {
					t.Errorf("web has %v", now.Weights)
				}
			})
		})
	}
}

// A guardian that cannot be started is one warning, and the shift goes on.
func TestRun_withoutGuardian(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlayer(parse(longStory + "record\n"))
		p.setUp()
		spec := p.spec()
		spec.StartGuardian = func(context.Context, string) rollout.Guardian {
			return &heldHandover{aborted: make(chan struct{}), err: errors.New("fork: operation not permitted")}
		}
		result, err := rollout.Run(t.Context(), spec)
		close(p.release)
		if err != nil || len(result.Warnings) != 1 || !strings.Contains(result.Warnings[0], "no guardian") || !strings.Contains(result.Warnings[0], "operation not permitted") {
			t.Errorf("got %v, warnings %q", err, result.Warnings)
		}
	})
}

// Somebody who ends the guardian wants the traffic back, whatever on_interrupt says, and nothing
// is rejected.
func TestRun_aborted(t *testing.T) {
	for _, stop := range []string{"", "stop interrupt\n"} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlayer(parse(longStory + "record\n" + stop))
			p.setUp()
			spec, guardian := p.spec(), &heldHandover{aborted: make(chan struct{})}
			spec.StartGuardian = func(context.Context, string) rollout.Guardian { return guardian }
			time.AfterFunc(atHalf, func() { close(guardian.aborted) })
			_, err := rollout.Run(t.Context(), spec)
			close(p.release)
			failure, is := errors.AsType[*rollout.Failure](err)
			if !is || failure.Cause != rollout.Aborted || failure.Disposition != rollout.RolledBack || failure.Rejects {
				t.Errorf("got %v", err)
			}
			if now := p.memory.Now("web"); now.Weights["web-green"] != 0 || !guardian.released {
				t.Errorf("web has %v, released %t", now.Weights, guardian.released)
			}
		})
	}
}
