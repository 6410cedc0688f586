package operate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// Without a record, the state says where the traffic belongs: a step of CI has nothing to recover where it is there, and
// fails where it is not.
func TestRecover_unrecorded(t *testing.T) {
	blue, half := shift.Sole("blue"), shift.Weights{"blue": 500, "green": 500}
	for name, c := range map[string]struct {
		blue, green int64
		saved       []shift.Weights
		exit        operate.Exit
	}{
		"where the last shift left it":     {100, 0, []shift.Weights{blue}, operate.Done},
		"where the last apply left it":     {50, 50, []shift.Weights{blue, half}, operate.Done},
		"a split that the last shift left": {50, 50, []shift.Weights{half}, operate.Done},
		"on its way":                       {50, 50, []shift.Weights{blue}, operate.Refused},
		"on its way to a split":            {75, 25, []shift.Weights{half}, operate.Refused},
		"on the other environment":         {0, 100, []shift.Weights{blue}, operate.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDNSWorld(t)
			w.share(c.blue, c.green)
			o := w.named()
			o.Target.Saved = c.saved
			mark := w.mark()
			result, err := o.Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(20 * time.Second)})
			text := result.Text() + "\n"
			if c.exit != operate.Done {
				text = fmt.Sprintln(err)
			}
			if (err == nil) != (c.exit == operate.Done) || err != nil && exitOf(t, err) != c.exit {
				t.Errorf("got %v", err)
			}
			golden.Check(t, text, w.volatile()...)
			if n := w.changes(mark); n > 0 {
				t.Errorf("%d changes", n)
			}
		})
	}
}

// A route of several that is elsewhere is not where the state has it.
func TestRecover_unrecordedRoutesDiffer(t *testing.T) {
	w := newDNSWorld(t)
	w.share(100, 0)
	w.shareOf("A", 50, 50)
	o := w.named()
	o.Target.Saved = []shift.Weights{shift.Sole("blue")}
	_, err := o.Recover(t.Context(), operate.RecoverOptions{Timeout: slow.Deadline(20 * time.Second)})
	if exitOf(t, err) != operate.Refused {
		t.Errorf("got %v", err)
	}
	golden.Check(t, fmt.Sprintln(err), w.volatile()...)
}

// The state says where the traffic was left, in both of its forms.
func TestFromState_saved(t *testing.T) {
	const (
		environments = `"environments": {"blue": {"records": {"web": "blue"}}, "green": {"records": {"web": "green"}}}`
		route53      = `"route53": [{"routes": {"web": ["Z0123456789ABC/app.example.com/A"]}}]`
	)
	for name, c := range map[string]struct{ attributes, want string }{
		"after a shift":     {`"active": "green", "weights": {"blue": 0, "green": 100}, "stable": {"weights": {"blue": 0, "green": 100}}`, "[green 100 % green 100 % green 100 %]"},
		"after a refresh":   {`"active": null, "weights": {"blue": 50, "green": 50}, "stable": {"weights": {"blue": 100, "green": 0}}`, "[blue 100 % blue 50 %, green 50 %]"},
		"of an old version": {`"active": null`, "[]"},
		"no traffic":        {`"active": null, "weights": {}, "stable": null`, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			attributes := "{" + route53 + ", " + environments + ", " + c.attributes + "}"
			for _, text := range []string{
				`{"version": 4, "resources": [{"mode": "managed", "type": "bluegreen_switch", "name": "web", "instances": [{"attributes": ` + attributes + `}]}]}`,
				`{"format_version": "1.0", "values": {"root_module": {"resources": [{"address": "bluegreen_switch.web", "mode": "managed", "type": "bluegreen_switch", "values": ` + attributes + `}]}}}`,
			} {
				targets, err := operate.AllFromState(strings.NewReader(text))
				if err != nil || len(targets) != 1 {
					t.Fatalf("%d targets, %v", len(targets), err)
				}
				if got := fmt.Sprint(targets[0].Saved); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}
