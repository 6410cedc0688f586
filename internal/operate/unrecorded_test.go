package operate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var bothKinds = []types.RRType{types.RRTypeA, types.RRTypeAaaa}

// The status of routes without records never says that no shift is in progress.
func TestStatus_unrecorded(t *testing.T) {
	show := func(t *testing.T, o *operate.Operator, volatile []golden.Replacement) {
		t.Helper()
		s, err := o.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, s.Text(time.Now())+string(text)+"\n", volatile...)
	}
	t.Run("records", func(t *testing.T) { w := newDNSWorld(t); show(t, w.on(w.routes...), w.volatile()) })
	t.Run("records of a state", func(t *testing.T) { w := newDNSWorld(t); show(t, w.named(), w.volatile()) })
	t.Run("alias", func(t *testing.T) { w := newFunctionWorld(t); show(t, w.on(w.routes...), w.volatile()) })
	t.Run("alias of a state", func(t *testing.T) { w := newFunctionWorld(t); show(t, w.named(), w.volatile()) })
}

// Both records of a name move in one batch, and the command waits until it is in sync on all servers.
func TestRollback_records(t *testing.T) {
	for name, c := range map[string]struct {
		to func(w *dnsWorld) string
		on func(w *dnsWorld) *operate.Operator
	}{
		"an environment":   {func(*dnsWorld) string { return "blue" }, (*dnsWorld).named},
		"a record":         {func(w *dnsWorld) string { return w.zone + "/app.example.com#blue" }, func(w *dnsWorld) *operate.Operator { return w.on(w.routes...) }},
		"a set identifier": {func(*dnsWorld) string { return "blue" }, func(w *dnsWorld) *operate.Operator { return w.on(w.routes...) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDNSWorld(t)
			w.syncAtQuestion(3)
			var lines []string
			o := c.on(w)
			o.Progress = func(line string) { lines = append(lines, line) }
			mark := w.mark()
			result, err := rollBack(t, o, operate.RollbackOptions{To: c.to(w)})
			w.must(err)
			if result.Outcome != operate.RolledBack || !w.isOnBlue(bothKinds...) {
				t.Errorf("%+v, A %v, AAAA %v", result, w.weights(types.RRTypeA), w.weights(types.RRTypeAaaa))
			}
			calls := map[string]int{}
			for _, call := range w.aws.Calls()[mark:] {
				calls[call.Action]++
			}
			if calls["ChangeResourceRecordSets"] != 1 || calls["GetChange"] < 3 {
				t.Errorf("the calls were %v: one batch, and questions until it is in sync", calls)
			}
			golden.Check(t, strings.Join(lines, "\n")+"\n"+result.Text()+"\n", w.volatile()...)
			mark = w.mark()
			result, err = rollBack(t, o, operate.RollbackOptions{To: c.to(w)})
			if err != nil || result.Outcome != operate.AlreadyThere || w.changes(mark) > 0 {
				t.Errorf("again: %+v, %v, %d changes", result, err, w.changes(mark))
			}
		})
	}
}

// A batch that is not in sync before the timeout is written all the same, and the command says so.
func TestRollback_recordsNotInSync(t *testing.T) {
	w := newDNSWorld(t, localaws.WithRecordPropagation(time.Hour))
	_, err := rollBack(t, w.named(), operate.RollbackOptions{To: "blue", Timeout: slow.Deadline(3 * time.Second)})
	if exitOf(t, err) != operate.Failed || !w.isOnBlue(bothKinds...) {
		t.Errorf("A %v: %v", w.weights(types.RRTypeA), err)
	}
	golden.Check(t, fmt.Sprintln(err), w.volatile()...)
}

// One record of a name is moved alone only with a warning.
func TestRollback_oneRecordOfAName(t *testing.T) {
	w := newDNSWorld(t)
	o := w.on(w.routes[0])
	plan, err := o.PlanRollback(t.Context(), operate.RollbackOptions{To: "blue", Timeout: slow.Deadline(20 * time.Second)})
	w.must(err)
	golden.Check(t, plan.Text()+"\n", w.volatile()...)
	_, err = plan.Run(t.Context())
	w.must(err)
	if !w.isOnBlue(types.RRTypeA) || !maps.Equal(w.weights(types.RRTypeAaaa), map[string]int64{"blue": 50, "green": 50}) {
		t.Errorf("A %v, AAAA %v", w.weights(types.RRTypeA), w.weights(types.RRTypeAaaa))
	}
}

// An alias is returned with one call.
func TestRollback_alias(t *testing.T) {
	for name, c := range map[string]struct {
		to func(w *functionWorld) string
		on func(w *functionWorld) *operate.Operator
	}{
		"an environment":     {func(*functionWorld) string { return "blue" }, (*functionWorld).named},
		"a function version": {func(w *functionWorld) string { return w.version("1") }, func(w *functionWorld) *operate.Operator { return w.on(w.routes...) }},
		"a number":           {func(*functionWorld) string { return "1" }, func(w *functionWorld) *operate.Operator { return w.on(w.routes...) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFunctionWorld(t)
			mark := w.mark()
			result, err := rollBack(t, c.on(w), operate.RollbackOptions{To: c.to(w)})
			w.must(err)
			updates := len(slices.DeleteFunc(w.aws.Calls()[mark:], func(call localaws.Call) bool { return call.Action != "UpdateAlias" }))
			if result.Outcome != operate.RolledBack || !w.has("1") || updates != 1 {
				t.Errorf("%+v, the alias has %v, %d updates", result, w.weights(), updates)
			}
			golden.Check(t, result.Text()+"\n", w.volatile()...)
		})
	}
}

// What is refused on routes without records, with nothing changed.
func TestUnrecorded_refused(t *testing.T) {
	server := startLocal(t)
	dns, functions := dnsWorldOn(t, server), functionWorldOn(t, server)
	records := func(ids ...string) func() *operate.Operator {
		return func() *operate.Operator { return dns.on(ids...) }
	}
	alias := func(ids ...string) func() *operate.Operator {
		return func() *operate.Operator { return functions.on(ids...) }
	}
	rollback := func(to string) func(*operate.Operator) error {
		return func(o *operate.Operator) error {
			_, err := rollBack(t, o, operate.RollbackOptions{To: to})
			return err
		}
	}
	ask := func(verb traffic.Verb) func(*operate.Operator) error {
		return func(o *operate.Operator) error {
			_, err := o.Ask(t.Context(), operate.AskOptions{Verb: verb, Gate: "go", Timeout: slow.Deadline(20 * time.Second)})
			return err
		}
	}
	restore := func(o *operate.Operator) error {
		_, err := o.Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(20 * time.Second)})
		return err
	}
	watch := func(o *operate.Operator) error {
		return o.Watch(t.Context(), operate.WatchOptions{Interval: time.Millisecond, OnEntry: func(report.Entry) error { return nil }})
	}
	denied := faults.Fault{Action: "ListResourceRecordSets", Kind: faults.AccessDenied}
	for name, c := range map[string]struct {
		on    func() *operate.Operator
		do    func(*operate.Operator) error
		fault *faults.Fault
	}{
		"records, rollback without to": {on: records(dns.routes...), do: rollback("")},
		"records, unknown identifier":  {on: records(dns.routes...), do: rollback("red")},
		"records, another name":        {on: records(dns.routes...), do: rollback(dns.zone + "/www.example.com#blue")},
		"records, unknown environment": {on: dns.named, do: rollback("red")},
		"records, unknown record":      {on: records(dns.zone + "/www.example.com/A"), do: rollback("blue")},
		"records, unknown zone":        {on: records("Z0000000000/app.example.com/A"), do: rollback("blue")},
		"records, denied":              {on: records(dns.routes...), do: rollback("blue"), fault: &denied},
		"records, recover":             {on: records(dns.routes...), do: restore},
		"records, approve":             {on: records(dns.routes...), do: ask(traffic.VerbApprove)},
		"records, promote":             {on: records(dns.routes...), do: ask(traffic.VerbPromote)},
		"records, abort":               {on: records(dns.routes...), do: ask(traffic.VerbAbort)},
		"records, watch":               {on: records(dns.routes...), do: watch},
		"alias, rollback without to":   {on: alias(functions.routes...), do: rollback("")},
		"alias, not a version":         {on: alias(functions.routes...), do: rollback("blue")},
		"alias, another function":      {on: alias(functions.routes...), do: rollback(strings.Replace(functions.version("1"), ":shop:", ":cart:", 1))},
		"alias, missing version":       {on: alias(functions.routes...), do: rollback("99")},
		"alias, an alias":              {on: alias(functions.routes...), do: rollback(functions.routes[0])},
		"alias, unknown alias":         {on: alias(functions.version("") + "blue"), do: rollback("1")},
		"alias, another account":       {on: alias(strings.Replace(functions.routes[0], ":123456789012:", ":210987654321:", 1)), do: rollback("1")},
		"alias, recover":               {on: alias(functions.routes...), do: restore},
		"alias, watch":                 {on: alias(functions.routes...), do: watch},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.on()
			if c.fault != nil {
				defer server.Inject(*c.fault)()
			}
			mark := len(server.Calls())
			err := c.do(o)
			if got := exitOf(t, err); got != operate.Refused {
				t.Errorf("exit code %d", got)
			}
			golden.Check(t, fmt.Sprintln(err), dns.volatile()...)
			for _, call := range server.Calls()[mark:] {
				if !strings.HasPrefix(call.Action, "Get") && !strings.HasPrefix(call.Action, "List") {
					t.Errorf("the call %s", call.Action)
				}
			}
		})
	}
}

// The routes of one invocation belong to one router.
func TestFromRoutes_refused(t *testing.T) {
	const (
		listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
		record   = "Z0123456789ABC/app.example.com/A"
		alias    = "arn:aws:lambda:eu-central-1:123456789012:function:shop:live"
	)
	for name, ids := range map[string][]string{
		"listener and record": {listener, record}, "record and alias": {record, alias}, "alias and listener": {alias, listener},
		"not normal": {"/hostedzone/Z0123456789ABC/App.example.com./a"}, "another type": {"Z0123456789ABC/app.example.com/TXT"}, "a group": {"Z0123456789ABC/app.example.com#blue"},
		"a function": {strings.TrimSuffix(alias, ":live")}, "a version": {strings.Replace(alias, ":live", ":12", 1)}, "latest": {strings.Replace(alias, ":live", ":$LATEST", 1)}, "nothing": {"web"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := operate.FromRoutes(ids)
			if exitOf(t, err) != operate.Refused {
				t.Errorf("got %v", err)
			}
			golden.Check(t, fmt.Sprintln(err))
		})
	}
	for _, id := range []string{listener, record, alias} {
		if target, err := operate.FromRoutes([]string{id, id}); err != nil || len(target.Routes) != 1 {
			t.Errorf("%s: %+v, %v", id, target, err)
		}
	}
}

// A state has a part of the ids of groups, which the routes of the entry point complete.
func TestFromState_unrecorded(t *testing.T) {
	const function = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
	for _, c := range []struct {
		file, address string
		routes        []string
		entry         string
		green         operate.Environment
	}{
		{"unrecorded.json", "bluegreen_switch.web", []string{"Z0123456789ABC/app.example.com/A", "Z0123456789ABC/app.example.com/AAAA"}, "web", operate.Environment{Version: "1.5.0", Groups: map[string]string{"web": "Z0123456789ABC/app.example.com#green"}}},
		{"unrecorded.json", "bluegreen_switch.api", []string{function + ":live"}, "api", operate.Environment{Version: "13-rc", Groups: map[string]string{"api": function + ":13"}}},
		{"unrecorded_show.json", "bluegreen_switch.web", []string{"Z0123456789ABC/app.example.com/A", "Z0123456789ABC/app.example.com/AAAA"}, "web", operate.Environment{Version: "1.5.0", Groups: map[string]string{"web": "Z0123456789ABC/app.example.com#green"}}},
		{"unrecorded_show.json", "bluegreen_switch.api", []string{function + ":live"}, "api", operate.Environment{Version: "13-rc", Groups: map[string]string{"api": function + ":13"}}},
	} {
		t.Run(c.file+" "+c.address, func(t *testing.T) {
			target := stateTarget(t, c.file, c.address)
			if !slices.Equal(target.Routes, entryRoutes(c.entry, c.routes)) {
				t.Errorf("the routes are %+v", target.Routes)
			}
			if green := target.Environments["green"]; green.Version != c.green.Version || !maps.Equal(green.Groups, c.green.Groups) || len(target.Environments) != 2 {
				t.Errorf("the environments are %+v", target.Environments)
			}
		})
	}
	_, err := fromStateFile(t, "bad_record.json", "")
	if exitOf(t, err) != operate.Refused {
		t.Errorf("got %v", err)
	}
	golden.Check(t, fmt.Sprintln(err))
}

func stateTarget(t *testing.T, file, address string) operate.Target {
	t.Helper()
	target, err := fromStateFile(t, file, address)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func fromStateFile(t *testing.T, name, address string) (operate.Target, error) {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	return operate.FromState(file, address)
}
