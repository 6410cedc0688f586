package release

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// harm is an edit or a command that would harm an environment with traffic.
type harm struct {
	name string
	edit func(*e2e.Project)
	args []string // of the apply
	// refused: the run fails; otherwise the apply succeeds without any lost
	// request.
	refused bool
	// before runs first; an edit after it has an apply of its own.
	before func(*e2e.Project)
	undo   func(*e2e.Project) // what it takes beside the old configuration
	run    string             // instead of "apply"
	moves  bool               // it is a release; else no traffic may move
	// detaches: idle green is destroyed and its group detached with one write,
	// which leaves the traffic on blue.
	detaches bool
}

const (
	liveBlue    = `module.release.bluegreen_environment.app["blue"]`
	liveSwitch  = "module.release.bluegreen_switch.web"
	releaseFile = "release/main.tf"
)

func environments(blue, green map[string]any) map[string]any {
	return map[string]any{"environments": map[string]any{"blue": blue, "green": green}}
}

// set is an edit of terraform.tfvars.
func set(values map[string]any) func(*e2e.Project) {
	return func(p *e2e.Project) { p.T.Helper(); p.Must(p.Set(values)) }
}

// replace is an edit of a file of the configuration.
func replace(file, old, text string) func(*e2e.Project) {
	return func(p *e2e.Project) { p.T.Helper(); p.Must(p.Edit(file, old, text)) }
}

func edits(all ...func(*e2e.Project)) func(*e2e.Project) {
	return func(p *e2e.Project) {
		p.T.Helper()
		for _, edit := range all {
			edit(p)
		}
	}
}

// inlineEnvironments lists the environments in the switch, without references to
// environment resources.
func inlineEnvironments() func(*e2e.Project) {
	return replace(releaseFile, "environments = bluegreen_environment.app",
		`environments = { for name, app in var.apps : name => { target_groups = { web = app.target_group_arn }, version = "1" } }`)
}

func withoutBlue() func(*e2e.Project) {
	return set(map[string]any{"environments": map[string]any{"green": map[string]any{"app": "green"}}})
}

func harms() []harm {
	blue, green := map[string]any{"app": "blue"}, map[string]any{"app": "green"}
	azure := func(p *e2e.Project) {
		p.Must(p.Set(map[string]any{"active": "azure", "environments": map[string]any{"azure": blue, "green": green}}))
	}
	return []harm{
		{name: "it is removed", edit: withoutBlue(), refused: true},
		{name: "it is removed and the switch still names its group", edit: edits(inlineEnvironments(), withoutBlue()), refused: true},
		{name: "it is renamed", edit: azure, refused: true},
		{name: "it is renamed by a moved block", edit: edits(azure, moved("blue", "azure")), undo: moved("azure", "blue")},
		{name: "its name is not its key", edit: replace(releaseFile, "= each.key", `= "x-${each.key}"`), refused: true},
		{name: "its version changes", edit: set(environments(map[string]any{"app": "blue", "version": "2"}, green)), refused: true},
		{name: "its version is unknown", edit: edits(replace(releaseFile, "= each.value.version", "= terraform_data.digest.output"),
			replace(releaseFile, `resource "bluegreen_switch"`, "resource \"terraform_data\" \"digest\" {\n  input = \"1\"\n}\n\nresource \"bluegreen_switch\"")),
			refused: true},
		{name: "its group changes", edit: set(environments(green, blue)), refused: true},
		{name: "its group is unknown", edit: edits(set(map[string]any{"machines": map[string]string{"blue": "1", "green": "1", "red": "1"},
			"environments": map[string]any{"blue": map[string]any{"app": "red"}, "green": green}})), refused: true},
		{name: "its backing changes", edit: set(environments(map[string]any{"app": "blue", "backing": []string{"asg-1"}}, green)), refused: true},
		{name: "its machines are replaced", edit: set(map[string]any{"machines": map[string]string{"blue": "2", "green": "1"}}), refused: true},
		{name: "its module is removed with the switch", edit: removeRelease, refused: true, detaches: true},
		{name: "the switch is replaced", args: []string{"-replace=" + liveSwitch}},
		{name: "the environment is replaced", args: []string{"-replace=" + liveBlue}},
		{name: "the switch is tainted", before: taint(liveSwitch)},
		{name: "the environment is tainted", before: taint(liveBlue)},
		{name: "it is removed and -target names it alone", edit: withoutBlue(), args: []string{"-target=" + liveBlue}, refused: true},
		{name: "the traffic moves and -target names the switch alone", edit: set(map[string]any{"active": "green"}), args: []string{"-target=" + liveSwitch}, moves: true},
		{name: "it is removed under another provider alias", before: replace(releaseFile, "= bluegreen\n", "= bluegreen.other\n"),
			edit: edits(inlineEnvironments(), withoutBlue()), refused: true},
		{name: "everything is destroyed", run: "destroy", refused: true, detaches: true},
		{name: "destroy -target names it", run: "destroy", args: []string{"-target=" + liveBlue}, refused: true},
	}
}

// moved adds a moved block for a renamed environment.
func moved(from, to string) func(*e2e.Project) {
	const address = "module.release.bluegreen_environment.app[%q]"
	return replace("main.tf", `output "url"`, fmt.Sprintf("moved {\n  from = "+address+"\n  to   = "+address+"\n}\n\noutput \"url\"", from, to))
}

func taint(address string) func(*e2e.Project) {
	return func(p *e2e.Project) {
		p.T.Helper()
		var out strings.Builder
		if err := p.Terraform.Run(&out, "taint", address); err != nil {
			p.T.Fatalf("%v\n%s", err, out.String())
		}
	}
}

// removeRelease cuts the module out of the configuration.
func removeRelease(p *e2e.Project) {
	p.T.Helper()
	path := filepath.Join(p.Terraform.Dir, "main.tf")
	text, err := os.ReadFile(path)
	p.Must(err)
	begin := strings.Index(string(text), "module \"release\"")
	end := strings.Index(string(text), "output \"url\"")
	p.Must(os.WriteFile(path, append(text[:begin:begin], text[end:]...), 0o644))
}

// snapshot records the configuration and returns a function that restores it.
func snapshot(p *e2e.Project) (restore func()) {
	p.T.Helper()
	saved := map[string][]byte{}
	for _, name := range []string{"main.tf", releaseFile} {
		text, err := os.ReadFile(filepath.Join(p.Terraform.Dir, name))
		p.Must(err)
		saved[name] = text
	}
	return func() {
		p.T.Helper()
		for name, text := range saved {
			p.Must(os.WriteFile(filepath.Join(p.Terraform.Dir, name), text, 0o644))
		}
		p.Must(p.Set(map[string]any{}))
	}
}

func TestHarm_liveEnvironmentIsProtected(t *testing.T) {
	t.Parallel()
	all := harms()
	half := (len(all) + 1) / 2
	for name, some := range map[string][]harm{"first half": all[:half], "second half": all[half:]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := e2e.NewProject(t, "live", e2e.Brisk())
			p.MustApply()
			p.Ask("/", e2e.ParallelRate)
			for _, h := range some {
				t.Run(h.name, func(t *testing.T) { inflict(t, p, h) })
			}
			p.LostNothing()
		})
	}
}

// inflict does the harm, checks the result and reverts the edit; one more apply must
// then be enough.
func inflict(t *testing.T, p *e2e.Project, h harm) {
	whole := p.T
	p.T = t
	defer func() { p.T = whole }()
	restore := snapshot(p)
	machines, mark := p.BluePIDs(), p.Mark()
	if h.before != nil {
		h.before(p)
	}
	if h.before != nil && h.edit != nil {
		p.MustApply()
	}
	if h.edit != nil {
		h.edit(p)
	}
	run := h.run
	if run == "" {
		run = "apply"
	}
	output, ok := p.Run(append([]string{run, "-auto-approve"}, h.args...)...)
	if ok == h.refused {
		t.Errorf("succeeded: %t\n%s", ok, output)
	}
	p.MustAnswer("1")
	if now := p.BluePIDs(); !slices.Equal(now, machines) {
		t.Errorf("blue's machines were %v and are %v", machines, now)
	}
	most := 0
	if h.detaches {
		most = 1
	}
	if n := p.Writes(mark); n > most && !h.moves {
		t.Errorf("%d writes, where at most %d may be", n, most)
	}
	restore()
	if h.undo != nil {
		h.undo(p)
	}
	p.MustApply()
	restore()
	p.MustBeSettled()
	p.MustAnswer("1")
	if h.refused {
		golden.Check(t, output, golden.Volatile()...) // the last one, because it ends the test, and others follow
	}
}
