package reporting_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"

func lookupIn(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { value, ok := variables[name]; return value, ok }
}

// The argument has precedence over the environment.
func TestRead(t *testing.T) {
	t.Parallel()
	set := map[string]string{report.DirVariable: "from-env", report.SummaryVariable: "summary.md"}
	for name, tt := range map[string]struct {
		dir       types.String
		variables map[string]string
		want      string
	}{
		"nothing":              {types.StringNull(), nil, ""},
		"environment":          {types.StringNull(), set, "from-env"},
		"argument":             {types.StringValue("reports"), nil, "reports"},
		"both":                 {types.StringValue("reports"), set, "reports"},
		"turned off":           {types.StringValue(""), set, ""},
		"unknown while a plan": {types.StringUnknown(), set, ""},
	} {
		s := reporting.Read(tt.dir, lookupIn(tt.variables), "1.0.0")
		if s.Dir != tt.want || s.Summary != tt.variables[report.SummaryVariable] {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// anApply is a shift from blue to green.
func anApply() release.Apply {
	a := release.Apply{Desired: release.Desired{Routes: []traffic.Route{{Entry: "web", ID: listener}}, Weights: shift.Sole("green"),
		Environments: map[string]release.Environment{"blue": {Version: "1.0"}, "green": {Version: "1.1"}, "plain": {}}}}
	a.Spec.ID = "20261102T093000Z-0a1b"
	a.Spec.Request.Strategy.Gates = []shift.GateSettings{{Name: "users", When: shift.During, Interval: 10 * time.Second, DryRun: true}}
	return a
}

func TestReport_endsWithTheFailure(t *testing.T) {
	t.Parallel()
	dir, summary := t.TempDir(), filepath.Join(t.TempDir(), "summary.md")
	variables := map[string]string{report.SummaryVariable: summary, "GITHUB_RUN_ID": "42", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b"}
	r := reporting.Read(types.StringValue(dir), lookupIn(variables), "1.0.0").Start(anApply(), "the schedule")
	now := time.Now()
	r.OnEvent(rollout.Event{At: now, Kind: rollout.ShiftStarted, Text: "forward"})
	r.OnEvent(rollout.Event{At: now, Kind: rollout.RouteRead, Route: listener, Weights: shift.Sole("blue")})
	failure := &rollout.Failure{Cause: rollout.GateFailed, Disposition: rollout.RolledBack, Gate: "users", Detail: "50 errors"}
	r.OnEvent(rollout.Event{At: now, Kind: rollout.ShiftEnded, Text: "gate_failed, rolled_back", Failure: failure})
	result := rollout.Result{Warnings: []string{"beware"}, Routes: []rollout.RouteResult{{Route: rollout.Route{Route: traffic.Route{ID: listener}}, Weights: shift.Sole("blue"), Read: true}}}
	left := r.End(result, failure)
	if left.Warnings != nil || left.Page != report.PagePath(r.Journal()) {
		t.Fatalf("%+v", left)
	}
	got := report.Summarize(r.Journal())
	if got.Result.Outcome != "rolled_back" || got.Result.Reason != `gate "users" failed: 50 errors` || got.Result.Routes[0].Weights["blue"] != 100 {
		t.Errorf("%+v", got.Result)
	}
	what := got.Shift
	if len(what.Versions) != 2 || what.To["green"] != 100 || what.Entries[0] != "web" || what.Schedule != "the schedule" || !what.Gates[0].DryRun || what.Owner.Run != "https://github.com/a/b/actions/runs/42" {
		t.Errorf("%+v", what)
	}
	text, err := os.ReadFile(summary)
	if err != nil || !strings.Contains(string(text), "### Shift of web: rolled back") || !strings.Contains(string(text), "beware") {
		t.Errorf("%v\n%s", err, text)
	}
}

// Without settings, nothing is recorded; and what cannot be written is a warning.
func TestReport_isOptional(t *testing.T) {
	t.Parallel()
	none := reporting.Read(types.StringNull(), lookupIn(nil), "").Start(anApply(), "")
	none.OnEvent(rollout.Event{Kind: rollout.ShiftStarted})
	if left := none.End(rollout.Result{}, nil); none.Journal() != "" || left.Page != "" || left.Warnings != nil {
		t.Errorf("%+v", left)
	}
	variables := map[string]string{report.SummaryVariable: filepath.Join(t.TempDir(), "none", "summary.md")}
	r := reporting.Read(types.StringNull(), lookupIn(variables), "").Start(anApply(), "")
	r.OnEvent(rollout.Event{At: time.Now(), Kind: rollout.ShiftEnded, Text: "completed"})
	if left := r.End(rollout.Result{}, nil); r.Journal() != "" || left.Page != "" || len(left.Warnings) != 1 || !strings.Contains(left.Warnings[0], "summary of the job") {
		t.Errorf("%+v", left)
	}
}

// A guardian continues the journal, and says how that ended.
func TestContinue(t *testing.T) {
	t.Parallel()
	for want, tt := range map[string]struct {
		stops bool
		err   error
	}{"rolled_back": {}, "stopped": {stops: true}, "failed": {err: errors.New("denied")}} {
		dir := t.TempDir()
		died := reporting.Read(types.StringValue(dir), lookupIn(nil), "").Start(anApply(), "")
		died.OnEvent(rollout.Event{At: time.Now(), Kind: rollout.ShiftStarted, Text: "forward"})
		died.End(rollout.Result{}, nil) // so that everything is written
		c := reporting.Continue(died.Journal(), tt.stops)
		c.OnEvent(rollout.Event{At: time.Now(), Kind: rollout.RollbackStarted, Text: "the owner of the shift died"})
		c.End(tt.err)
		if got := report.Summarize(died.Journal()).Result; got.Outcome != want || tt.err != nil && !strings.Contains(got.Reason, "denied") {
			t.Errorf("%s: %+v", want, got)
		}
	}
	reporting.Continue("", false).OnEvent(rollout.Event{})
	reporting.Continue("", false).End(nil)
}

// A journal is announced before it exists, and its follower writes the summary. Without the
// journal, the provider does.
func TestReport_isAnnounced(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dir       func(*testing.T) string
		announced bool // the file exists
		summary   bool // of the provider
	}{
		"followed":       {dir: (*testing.T).TempDir, announced: true},
		"nobody follows": {dir: (*testing.T).TempDir, summary: true},
		"no folder": {announced: true, summary: true, dir: func(t *testing.T) string {
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return file
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, other := tt.dir(t), t.TempDir()
			variables := map[string]string{report.SummaryVariable: filepath.Join(other, "summary.md"), report.JournalsVariable: filepath.Join(other, "journals")}
			if tt.announced {
				if err := os.WriteFile(variables[report.JournalsVariable], nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := reporting.Read(types.StringValue(dir), lookupIn(variables), "").Start(anApply(), "")
			paths, err := report.Announced(variables[report.JournalsVariable])
			if tt.announced && (err != nil || len(paths) != 1 || paths[0] != r.Journal()) {
				t.Errorf("announced: %q, %v", paths, err)
			}
			r.OnEvent(rollout.Event{At: time.Now(), Kind: rollout.ShiftStarted, Text: "forward"})
			r.OnEvent(rollout.Event{At: time.Now(), Kind: rollout.ShiftEnded, Text: "completed"})
			r.End(rollout.Result{}, nil)
			if _, err := os.Stat(variables[report.SummaryVariable]); (err == nil) != tt.summary {
				t.Errorf("the summary: %v", err)
			}
		})
	}
}
