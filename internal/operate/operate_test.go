package operate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/connect"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var none = []int{0, 0, 0}

// exitOf is the exit code of an error.
func exitOf(t *testing.T, err error) operate.Exit {
	t.Helper()
	if err == nil {
		return operate.Done
	}
	problem, is := errors.AsType[*operate.Problem](err)
	if !is {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	return problem.Exit
}

// rollBack plans and runs a rollback.
func rollBack(t *testing.T, o *operate.Operator, options operate.RollbackOptions) (operate.Result, error) {
	t.Helper()
	if options.Timeout == 0 {
		options.Timeout = slow.Deadline(20 * time.Second)
	}
	plan, err := o.PlanRollback(t.Context(), options)
	if err != nil {
		return operate.Result{}, err
	}
	return plan.Run(t.Context())
}

func TestStatus_text(t *testing.T) {
	w := newWorld(t)
	status := func(o *operate.Operator) operate.Status {
		s, err := o.Status(t.Context())
		w.must(err)
		return s
	}
	golden.CheckPart(t, "no record", status(w.on(w.routes...)).Text(time.Now()), w.volatile()...)
	r := w.record()
	r.Owner.Run = "https://ci.example.com/runs/42"
	w.put(r)
	golden.CheckPart(t, "open", status(w.named()).Text(time.Now()), w.volatile()...)
	gone := w.named()
	gone.Abandoned = func(traffic.Owner) (bool, bool) { return true, true }
	killed := r
	killed.Owner.PID, killed.Owner.Guardian.PID = 4711, 4716
	w.put(killed)
	golden.CheckPart(t, "abandoned", status(gone).Text(time.Now()), w.volatile()...)
	r.Phase, r.Reason = traffic.PhaseRejected, `gate "users" failed`
	w.put(r)
	s := status(w.named())
	golden.CheckPart(t, "rejected", s.Text(time.Now()), w.volatile()...)
	text, err := json.MarshalIndent(s, "", "  ")
	w.must(err)
	golden.CheckPart(t, "json", string(text), append(w.volatile(), golden.ReplacePattern(`\d{4}-\d\d-\d\dT[0-9:]+Z`, "<time>"))...)
	defer w.aws.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied})()
	defer w.aws.Inject(faults.Fault{Action: "DescribeTargetHealth", Kind: faults.AccessDenied})()
	golden.CheckPart(t, "denied", status(w.on(w.routes[0])).Text(time.Now()), w.volatile()...)
}

// A state that was saved before the shift has the version of green before it.
func TestStatus_versionOfTheRecord(t *testing.T) {
	w := newWorld(t)
	o := w.named()
	o.Target.Environments["green"] = operate.Environment{Version: "1.4.2", Groups: o.Target.Environments["green"].Groups}
	versions := func() string {
		s, err := o.Status(t.Context())
		w.must(err)
		var all []string
		for _, g := range s.Routes[0].Groups {
			all = append(all, g.Environment+" "+g.Version)
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
	if got := versions(); got != "blue 1.4.2, green 1.4.2" {
		t.Errorf("without a record: %s", got)
	}
	w.put(w.record())
	if got := versions(); got != "blue 1.4.2, green 1.5.0" {
		t.Errorf("during the shift: %s", got)
	}
}

// SIGTERM to a guardian is named only while the shift may have one that acts on it.
func TestStatus_guardian(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		phase     traffic.Phase
		abandoned bool
		want      bool
	}{{traffic.PhaseOpen, false, true}, {traffic.PhaseOpen, true, false}, {traffic.PhaseRollingBack, false, false}, {traffic.PhaseRolledBack, false, false}, {traffic.PhaseCompleted, false, false}} {
		r := w.record()
		r.Phase, r.Owner.Guardian = c.phase, traffic.Process{PID: 4716}
		w.put(r)
		o := w.named()
		o.Abandoned = func(traffic.Owner) (bool, bool) { return c.abandoned, true }
		s, err := o.Status(t.Context())
		w.must(err)
		text := s.Text(time.Now())
		if got := strings.Contains(text, "SIGTERM"); got != c.want || !strings.Contains(text, "guardian 4716") {
			t.Errorf("%s, abandoned %t:\n%s", c.phase, c.abandoned, text)
		}
	}
}

// One ARN suffices: the other routes are found by their records. The next refresh reads the
// rejection.
func TestRollback_findsSiblings(t *testing.T) {
	w := newWorld(t)
	w.put(w.record())
	mark := w.mark()
	result, err := rollBack(t, w.on(w.routes[1]), operate.RollbackOptions{Reason: "checkout is slow"})
	w.must(err)
	if n := w.writes(mark); n != 3 || !slices.Equal(w.green(w.routes...), none) {
		t.Errorf("%d writes, green has %v", n, w.green(w.routes...))
	}
	golden.Check(t, result.Text()+"\n", w.volatile()...)
	for _, route := range w.routes {
		if r := w.recorded(route); r.Phase != traffic.PhaseRejected || r.Reason != "rolled back by bob on laptop with bluegreen rollback: checkout is slow" || r.Version != "1.5.0" {
			t.Errorf("%s has %+v", route, r)
		}
	}
	calls := w.aws.Calls()[mark:]
	first := slices.IndexFunc(calls, func(c localaws.Call) bool { return strings.HasPrefix(c.Action, "Modify") })
	if i := slices.IndexFunc(calls, func(c localaws.Call) bool { return c.Action == "AddTags" }); i < 0 || i > first {
		t.Error("the record was not marked before the first write")
	}
	_, err = rollBack(t, w.on(w.routes[1]), operate.RollbackOptions{})
	if exitOf(t, err) != operate.Refused {
		t.Errorf("again: %v", err)
	}
	golden.CheckPart(t, "again", fmt.Sprintln(err), w.volatile()...)
}

// What a rollback refuses, with nothing changed.
func TestRollback_refuses(t *testing.T) {
	w := newWorld(t)
	other := strings.Replace(w.routes[0], ":123456789012:", ":210987654321:", 1)
	for name, c := range map[string]struct {
		prepare func()
		on      func() *operate.Operator
		options operate.RollbackOptions
		fault   faults.Fault
	}{
		"no record":        {},
		"unknown route":    {on: func() *operate.Operator { return w.on(w.routes[0][:len(w.routes[0])-4] + "0000") }},
		"another account":  {on: func() *operate.Operator { return w.on(other) }},
		"expired":          {fault: faults.Fault{Kind: faults.ExpiredToken}},
		"denied":           {fault: faults.Fault{Action: "DescribeListeners", Kind: faults.AccessDenied}},
		"tags are denied":  {fault: faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied}},
		"several shifts":   {prepare: func() { r := w.record(); r.Shift = "20260102T120000Z-00bb"; w.put(w.record()); w.put(r) }},
		"missing siblings": {prepare: func() { r := w.record(); r.Routes = 4; w.put(r) }},
		"completed": {prepare: func() {
			r := w.record()
			r.Phase, r.Owner, r.Expires = traffic.PhaseCompleted, owner.New(os.LookupEnv), time.Now().Add(time.Minute)
			w.put(r)
		}},
		"ended":            {prepare: func() { r := w.record(); r.Phase = traffic.PhaseRolledBack; w.put(r) }},
		"to nothing":       {prepare: func() { r := w.record(); r.From = nil; w.put(r) }},
		"a removed group":  {prepare: func() { r := w.record(); r.From = map[string]shift.Share{"0123456789ab": 1000}; w.put(r) }},
		"to what gains":    {prepare: func() { w.put(w.record()) }, on: w.named, options: operate.RollbackOptions{To: "green"}},
		"an unknown name":  {on: w.named, options: operate.RollbackOptions{To: "red"}},
		"a name without a": {options: operate.RollbackOptions{To: "blue"}},
		"no target group":  {options: operate.RollbackOptions{To: w.routes[0]}},
		"unhealthy":        {prepare: func() { w.put(w.record()); w.deregister("blue") }},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			t.Cleanup(func() { w.clear(); w.register("blue") })
			if c.prepare != nil {
				c.prepare()
			}
			o := w.on(w.routes...)
			if c.on != nil {
				o = c.on()
			}
			if c.fault.Kind != "" {
				defer w.aws.Inject(c.fault)()
			}
			mark := w.mark()
			_, err := rollBack(t, o, c.options)
			if got := exitOf(t, err); got != operate.Refused {
				t.Errorf("exit code %d", got)
			}
			golden.Check(t, fmt.Sprintln(err), w.volatile()...)
			if n := w.changes(mark); n > 0 {
				t.Errorf("%d calls changed something", n)
			}
		})
	}
}

// To a target group or an environment, with and without a record.
func TestRollback_to(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		to       string
		on       func() *operate.Operator
		recorded bool
	}{
		"an environment":                   {"blue", w.named, false},
		"an environment of a shift":        {"blue", w.named, true},
		"a target group":                   {w.stack.Groups["blue"], func() *operate.Operator { return w.on(w.routes...) }, false},
		"a target group of a shift":        {w.stack.Groups["blue"], func() *operate.Operator { return w.on(w.routes[0]) }, true},
		"a target group of an entry point": {w.stack.Groups["blue"], w.named, false},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.clear()
			w.split(50, w.routes...)
			if c.recorded {
				w.put(w.record())
			}
			mark := w.mark()
			result, err := rollBack(t, c.on(), operate.RollbackOptions{To: c.to})
			w.must(err)
			if n := w.writes(mark); n != 3 || !slices.Equal(w.green(w.routes...), none) || result.Outcome != operate.RolledBack {
				t.Errorf("%d writes, green has %v, %+v", n, w.green(w.routes...), result)
			}
			if (result.Rejected != nil) != c.recorded {
				t.Errorf("rejected is %+v", result.Rejected)
			}
		})
	}
	w.t = t
	w.split(50, w.routes...)
	remove := w.aws.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied})
	if result, err := rollBack(t, w.named(), operate.RollbackOptions{To: "blue"}); err != nil || len(result.Warnings) != 1 || !slices.Equal(w.green(w.routes...), none) {
		t.Errorf("without records: %+v, %v", result, err)
	}
	remove()
	if result, err := rollBack(t, w.named(), operate.RollbackOptions{To: "blue"}); err != nil || result.Outcome != operate.AlreadyThere {
		t.Errorf("again: %+v, %v", result, err)
	}
}

// A rollback to targets that are not healthy, and one without the permission to tag.
func TestRollback_allTheSame(t *testing.T) {
	w := newWorld(t)
	w.put(w.record())
	w.deregister("blue")
	if _, err := rollBack(t, w.on(w.routes[0]), operate.RollbackOptions{Force: true}); err != nil || !slices.Equal(w.green(w.routes...), none) {
		t.Errorf("green has %v: %v", w.green(w.routes...), err)
	}
	w.register("blue")
	w.clear()
	w.split(50, w.routes...)
	w.put(w.record())
	defer w.aws.Inject(faults.Fault{Action: "AddTags", Kind: faults.AccessDenied})()
	result, err := rollBack(t, w.on(w.routes[0]), operate.RollbackOptions{})
	w.must(err)
	if result.Rejected != nil || !slices.Equal(w.green(w.routes...), none) {
		t.Errorf("green has %v: %+v", w.green(w.routes...), result)
	}
	golden.Check(t, result.Text()+"\n", append(w.volatile(), golden.ReplacePattern(`\(elasticloadbalancing:AddTags.*\)`, "(<error of each route>)"))...)
}

// An API that refuses every write: the command says where the traffic is.
func TestRollback_fails(t *testing.T) {
	w := newWorld(t)
	w.put(w.record())
	defer w.aws.Inject(faults.Fault{Action: "ModifyRule", Kind: faults.AccessDenied})()
	_, err := rollBack(t, w.on(w.routes[0]), operate.RollbackOptions{Timeout: slow.Deadline(3 * time.Second)})
	if got := exitOf(t, err); got != operate.Failed {
		t.Errorf("exit code %d", got)
	}
	golden.Check(t, fmt.Sprintln(err), append(w.volatile(), golden.ReplacePattern(`(?m)^elasticloadbalancing:ModifyRule.*; rollback not verified.*$`, "<error of each rule>"))...)
}

func TestRecover(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		edit  func(*traffic.Record)
		empty bool // no record
		moved int32
		exit  operate.Exit
		back  bool
		phase traffic.Phase
	}{
		"no record":         {empty: true},
		"ended":             {edit: func(r *traffic.Record) { r.Phase = traffic.PhaseRolledBack }, phase: traffic.PhaseRolledBack},
		"completed":         {edit: func(r *traffic.Record) { r.Phase = traffic.PhaseCompleted }, phase: traffic.PhaseCompleted},
		"stopped":           {edit: func(r *traffic.Record) { r.Phase = traffic.PhaseStopped }, phase: traffic.PhaseStopped},
		"abandoned":         {back: true, phase: traffic.PhaseRolledBack},
		"abandoned, failed": {edit: func(r *traffic.Record) { r.Reason = "gate users failed" }, back: true, phase: traffic.PhaseRejected},
		"moved by others":   {moved: 100, edit: func(r *traffic.Record) { r.To[traffic.GroupKey(w.stack.Groups["green"])] = 500 }, exit: operate.Refused, phase: traffic.PhaseOpen},
		"its process lives": {edit: func(r *traffic.Record) { r.Owner = owner.New(os.LookupEnv) }, exit: operate.Running, phase: traffic.PhaseOpen},
		"its process is dead": {edit: func(r *traffic.Record) {
			r.Owner = owner.New(os.LookupEnv)
			r.Owner.Start, r.Expires = "1", time.Now().Add(-(5 * time.Minute))
		}, back: true, phase: traffic.PhaseRolledBack},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.clear()
			w.split(max(c.moved, 50), w.routes...)
			r := w.record()
			if c.edit != nil {
				c.edit(&r)
			}
			if !c.empty {
				w.put(r)
			}
			result, err := w.on(w.routes[0]).Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(20 * time.Second)})
			if got := exitOf(t, err); got != c.exit || slices.Equal(w.green(w.routes...), none) != c.back {
				t.Errorf("exit code %d, green has %v: %v", got, w.green(w.routes...), err)
			}
			text := result.Text()
			if err != nil {
				text = err.Error()
			}
			golden.Check(t, text+"\n", append(w.volatile(), golden.ReplacePattern(`of \S+ on \S+, at`, "of <user> on <host>, at"))...)
			if !c.empty && w.recorded(w.routes[0]).Phase != c.phase {
				t.Errorf("the record is %+v", w.recorded(w.routes[0]))
			}
		})
	}
}

// Another machine: the lease is watched, and the owner renews it.
func TestRecover_elsewhere(t *testing.T) {
	w := newWorld(t)
	r := w.record()
	r.Expires = time.Now().Add(time.Minute)
	w.put(r)
	o := w.on(w.routes[0])
	o.Progress = func(line string) {
		if strings.HasPrefix(line, "Watching") {
			r.Renewal++
			w.put(r)
		}
	}
	_, err := o.Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(time.Minute)})
	if exitOf(t, err) != operate.Running || w.green(w.routes[0])[0] != 50 {
		t.Errorf("got %v", err)
	}
}

func TestFromState(t *testing.T) {
	for _, c := range []struct {
		file, address string
		routes        int // 0: refused
	}{
		{"state.json", "bluegreen_switch.web", 3}, {"state.json", `module.shop.bluegreen_switch.api["eu"]`, 1}, {"state.json", "", 0}, {"state.json", "bluegreen_switch.other", 0},
		{"show.json", "", 3}, {"plan.json", "", 3}, {"encrypted.json", "", 0}, {"malformed.json", "", 0}, {"old.json", "", 0}, {"none.json", "", 0}, {"bad_route.json", "", 0}, {"bad_form.json", "", 0},
	} {
		t.Run(c.file+" "+c.address, func(t *testing.T) {
			file, err := os.Open("testdata/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			target, err := operate.FromState(file, c.address)
			if len(target.Routes) != c.routes || (err != nil) != (c.routes == 0) {
				t.Errorf("got %+v, %v", target, err)
			}
			if err != nil {
				exitOf(t, err)
				golden.Check(t, fmt.Sprintln(err))
			} else if c.routes == 3 && (target.Environments["green"].Version != "1.5.0" || target.Environments["green"].Groups["api"] == "" || target.Rejected == nil) {
				t.Errorf("got %+v", target)
			}
		})
	}
}

// Two operators at once: the second one learns who was first, and writes the same, or nothing.
func TestRollback_second(t *testing.T) {
	w := newWorld(t)
	r := w.record()
	r.Phase, r.Reason, r.Owner, r.Expires = traffic.PhaseRollingBack, "rolled back by ann on ci-7 with bluegreen rollback", owner.New(os.LookupEnv), time.Now().Add(time.Minute-lateFor)
	w.put(r)
	_, err := rollBack(t, w.named(), operate.RollbackOptions{To: "blue"})
	if exitOf(t, err) != operate.Refused || w.green(w.routes[0])[0] != 50 {
		t.Errorf("elsewhere: %v", err)
	}
	golden.CheckPart(t, "elsewhere", fmt.Sprintln(err), w.volatile()...)
	result, err := rollBack(t, w.named(), operate.RollbackOptions{Reason: "something else"})
	w.must(err)
	if !slices.Equal(w.green(w.routes...), none) || w.recorded(w.routes[0]).Reason != r.Reason {
		t.Errorf("green has %v, %+v", w.green(w.routes...), w.recorded(w.routes[0]))
	}
	golden.CheckPart(t, "the same", result.Text()+"\n", w.volatile()...)
}

// lateFor is how old the last sign of life of a process is whose writes cannot be late any more.
const lateFor = 10 * time.Minute

// A guardian that returns the traffic is waited for.
func TestRecover_guarded(t *testing.T) {
	w := newWorld(t)
	r := w.record()
	w.put(r)
	o, looks := w.on(w.routes[0]), 0
	o.Guarded = func(traffic.Owner) bool {
		if looks++; looks == 2 {
			w.split(0, w.routes...)
			r.Phase = traffic.PhaseRolledBack
			w.put(r)
		}
		return true
	}
	mark := w.mark()
	result, err := o.Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(20 * time.Second)})
	w.must(err)
	if n := w.writes(mark); n != 3 || result.Outcome != operate.Nothing { // those of the guardian
		t.Errorf("%d writes, %+v", n, result)
	}
	golden.Check(t, result.Text()+"\n", w.volatile()...)
}

// Without credentials nothing is called.
func TestOpen_noCredentials(t *testing.T) {
	w := newWorld(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	mark := w.mark()
	_, err := connect.Open(t.Context(), w.routes[0], "test")
	if exitOf(t, err) != operate.Refused || w.mark() != mark {
		t.Errorf("got %v", err)
	}
}
