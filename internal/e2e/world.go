package e2e

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// World is a release with its load balancer and continuous load.
type World struct {
	*rehearsal.Release
	Routing
	Balancer *localaws.Server
	Load     *rehearsal.Load
	t        *testing.T
}

// LoadRate is the number of requests per second in a World.
const LoadRate = 500

// Quick returns the pace of shifts whose order matters, not their duration. What is in
// flight when the weights change ends within Settle, which takes longer on a slow machine.
func Quick() rehearsal.Pace {
	return rehearsal.Pace{Hold: "700ms", Settle: slow.Deadline(300 * time.Millisecond).String(), SteadyFor: "300ms"}
}

// Endless has a hold that lasts until the apply is interrupted or fails.
var Endless = rehearsal.Pace{Hold: "10h", Settle: "300ms", SteadyFor: "300ms"}

// NewWorld adopts a new listener on which blue is live, and starts the load.
func NewWorld(t *testing.T, pace rehearsal.Pace, options ...localaws.Option) *World {
	t.Helper()
	return NewWorldOf(t, rehearsal.AppTerms{Version: "1"}, pace, options...)
}

// NewQuietWorld is NewWorld with a load of ParallelRate.
func NewQuietWorld(t *testing.T, pace rehearsal.Pace) *World {
	t.Helper()
	w := newWorld(t, rehearsal.AppTerms{Version: "1"}, pace)
	adopt(w)
	w.load(ParallelRate)
	return w
}

// NewWorldOf has another live version, which starts before the load: a release
// never replaces the live version under load.
func NewWorldOf(t *testing.T, live rehearsal.AppTerms, pace rehearsal.Pace, options ...localaws.Option) *World {
	t.Helper()
	w := newWorld(t, live, pace, options...)
	adopt(w)
	w.load(LoadRate)
	return w
}

// NewUnloadedWorld is NewWorld without a load. prepare changes the configuration before it is applied for the first time.
func NewUnloadedWorld(t *testing.T, pace rehearsal.Pace, prepare func(*World)) *World {
	t.Helper()
	w := newWorld(t, rehearsal.AppTerms{Version: "1"}, pace)
	prepare(w)
	adopt(w)
	return w
}

func newWorld(t *testing.T, live rehearsal.AppTerms, pace rehearsal.Pace, options ...localaws.Option) *World {
	t.Helper()
	built := Build(t)
	balancer := startBalancer(t, options...)
	release, err := rehearsal.NewRelease(t.Context(), rehearsal.ReleaseTerms{
		Binary: built.Terraform, CLIConfig: built.CLIConfig, Root: built.Root, Localapp: built.Localapp, Dir: t.TempDir(),
		Endpoint: balancer.URL(), ListenerAddr: balancer.ListenerAddr, Pace: pace, Gates: rehearsal.AnswerGates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release.Close)
	t.Cleanup(func() { // before: what it needs is still there
		if !t.Failed() {
			eventually(t, "no guardian is left", func() bool { return noGuardianIn(release.Terraform.Dir) })
		}
	})
	release.Terraform.Limit = hangTimeout()
	w := &World{Release: release, Routing: Routing{t, balancer, release.Stack}, Balancer: balancer, t: t}
	w.MustDeploy("blue", live)
	w.MustDeploy("green", rehearsal.AppTerms{Version: "2"})
	return w
}

// adopt applies the configuration for the first time.
func adopt(w *World) {
	w.t.Helper()
	if err := w.Adopt(); err != nil {
		w.t.Fatal(err)
	}
}

// load starts the load.
func (w *World) load(rate int) {
	w.Load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: w.URL, Rate: rate, Clients: 24})
	w.t.Cleanup(func() { w.Load.Stop() })
}

func startBalancer(t *testing.T, options ...localaws.Option) *localaws.Server {
	t.Helper()
	balancer, err := localaws.Start(slices.Concat([]localaws.Option{localaws.WithEphemeralPorts(),
		localaws.WithFastHealth(100 * time.Millisecond), localaws.WithLogger(slog.New(slog.DiscardHandler))}, options)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = balancer.Close() })
	return balancer
}

// MustDeploy runs a version in an environment and sets it in the configuration.
func (w *World) MustDeploy(environment string, terms rehearsal.AppTerms) {
	w.t.Helper()
	if err := w.Deploy(w.t.Context(), environment, terms); err != nil {
		w.t.Fatal(err)
	}
}

// MustConfigure sets the active environment.
func (w *World) MustConfigure(active string) {
	w.t.Helper()
	if err := w.Configure(active); err != nil {
		w.t.Fatal(err)
	}
}

// Edit changes the configuration's text, as a user would.
func (w *World) Edit(old, replacement string) {
	w.t.Helper()
	path := filepath.Join(w.Terraform.Dir, "main.tf")
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		w.t.Fatalf("main.tf has no %q", old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// SetGates replaces the gates of the configuration by the blocks, or by none
// (rehearsal.NoGates).
func (w *World) SetGates(blocks string) {
	w.t.Helper()
	if err := w.Terraform.Override(blocks); err != nil {
		w.t.Fatal(err)
	}
}

// MustRun runs a Terraform command that has to succeed, and returns its output.
func (w *World) MustRun(args ...string) string {
	w.t.Helper()
	var out bytes.Buffer
	if err := w.Terraform.Run(&out, args...); err != nil {
		w.t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// MustApply is an apply that has to succeed.
func (w *World) MustApply(args ...string) string {
	w.t.Helper()
	out, ok := w.Start(args...).Wait()
	if !ok {
		w.t.Fatalf("apply failed:\n%s", out)
	}
	return out
}

// MustFail is an apply that has to fail.
func (w *World) MustFail(args ...string) string {
	w.t.Helper()
	out, ok := w.Start(args...).Wait()
	if ok {
		w.t.Fatalf("apply succeeded:\n%s", out)
	}
	return out
}

// Switch returns the values of the switch in the state, nil where there is none.
func (w *World) Switch() map[string]any {
	w.t.Helper()
	return show(w).Values.ofSwitch()
}

// Planned returns the values of the switch in a saved plan, nil where it has none.
func (w *World) Planned(file string) map[string]any {
	w.t.Helper()
	return show(w, file).Planned.ofSwitch()
}

// shown is what "terraform show -json" prints.
type shown struct {
	Values  values
	Planned values `json:"planned_values"`
}

// values are those of a configuration.
type values struct {
	RootModule struct {
		Resources []struct {
			Type   string
			Values map[string]any
		}
	} `json:"root_module"`
}

func (v values) ofSwitch() map[string]any {
	for _, r := range v.RootModule.Resources {
		if r.Type == "bluegreen_switch" {
			return r.Values
		}
	}
	return nil
}

// show returns the state, or a saved plan.
func show(w *World, file ...string) (all shown) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.MustRun(append([]string{"show", "-json"}, file...)...)), &all); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// Eventually waits for a condition outside this process.
func (w *World) Eventually(what string, is func() bool) {
	w.t.Helper()
	eventually(w.t, what, is)
}

// MoreRequests waits for a second of requests.
func (w *World) MoreRequests() {
	w.t.Helper()
	moreRequests(w.t, w.Load)
}

// Weights returns the listener's weight of each environment.
func (w *World) Weights() map[string]int {
	w.t.Helper()
	all := w.Balancer.Weights(w.Stack.Listener)
	if all == nil {
		w.t.Fatal(rehearsal.ErrNotForwarding)
	}
	weights := map[string]int{}
	for name, group := range w.Stack.Groups {
		if n, attached := all[group]; attached {
			weights[name] = n
		}
	}
	return weights
}

// HasAll reports whether an environment has all the traffic.
func (w *World) HasAll(environment string) bool {
	weights := w.Weights()
	for name, n := range weights {
		if name != environment && n > 0 {
			return false
		}
	}
	return weights[environment] > 0
}

// MustHaveAll checks that an environment has all the traffic.
func (w *World) MustHaveAll(environment string) {
	w.t.Helper()
	if !w.HasAll(environment) {
		w.t.Errorf("%s does not have all the traffic: %v", environment, w.Weights())
	}
}

// LostNothing ends the load and checks that every request was answered.
func (w *World) LostNothing() rehearsal.Counts {
	w.t.Helper()
	return lostNothing(w.t, w.Load)
}

// Version returns the version that responds to a client.
func (w *World) Version(c *http.Client) string {
	w.t.Helper()
	version, err := VersionAt(c, w.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

// In returns the same release with a configuration in another directory.
func (w *World) In(dir string) *World {
	other, release, terraform := *w, *w.Release, *w.Terraform
	terraform.Dir = dir
	release.Terraform, other.Release = &terraform, &release
	return &other
}

// Mark returns the number of calls so far.
func (w *World) Mark() int { return len(w.Balancer.Calls()) }

// Writes counts the calls that changed an action since a mark.
func (w *World) Writes(mark int) int { return writes(w.Balancer.Calls()[mark:]) }
