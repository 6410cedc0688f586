package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == rehearsal.AppCommand {
		if err := rehearsal.AppMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the provider binary, built once for all tests.
var built struct {
	once           sync.Once
	dir, cliConfig string
	root, binary   string
	err            error
}

// build builds the provider, or skips the test without Terraform.
func build(t *testing.T) {
	t.Helper()
	binary, err := rehearsal.FindTerraform()
	if errors.Is(err, rehearsal.ErrNoTerraform) {
		t.Skip("SKIPPED: neither terraform nor tofu is on PATH; this test needs a real one")
	}
	built.once.Do(func() {
		built.binary = binary
		built.err = buildOnce(context.WithoutCancel(t.Context()))
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
}

// buildOnce builds into a folder that outlives the first test.
func buildOnce(ctx context.Context) (err error) {
	if built.root, err = rehearsal.ModuleRoot(ctx); err != nil {
		return err
	}
	if built.dir, err = os.MkdirTemp("", "bluegreen-e2e-"); err != nil {
		return err
	}
	built.cliConfig, err = rehearsal.BuildProvider(ctx, built.root, built.dir)
	return err
}

// world is a release with its load balancer and continuous load.
type world struct {
	*rehearsal.Release
	t        *testing.T
	balancer *localaws.Server
	load     *rehearsal.Load
}

const loadRate = 500

// newWorld adopts a new listener on which blue is live, and starts the load.
func newWorld(t *testing.T, pace rehearsal.Pace, options ...localaws.Option) *world {
	t.Helper()
	return newWorldOf(t, rehearsal.AppTerms{Version: "1"}, pace, options...)
}

// newWorldOf has another live version, which starts before the load: a release
// never replaces the live version under load.
func newWorldOf(t *testing.T, live rehearsal.AppTerms, pace rehearsal.Pace, options ...localaws.Option) *world {
	t.Helper()
	build(t)
	options = append([]localaws.Option{localaws.WithEphemeralPorts(), localaws.WithFastHealth(100 * time.Millisecond),
		localaws.WithLogger(slog.New(slog.DiscardHandler))}, options...)
	balancer, err := localaws.Start(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = balancer.Close() })
	release, err := rehearsal.NewRelease(t.Context(), rehearsal.ReleaseTerms{
		Binary: built.binary, CLIConfig: built.cliConfig, Root: built.root, Dir: t.TempDir(),
		Endpoint: balancer.URL(), ListenerAddr: balancer.ListenerAddr, Pace: pace, Gates: rehearsal.AnswerGates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release.Close)
	w := &world{Release: release, t: t, balancer: balancer}
	w.deploy("blue", live)
	w.deploy("green", rehearsal.AppTerms{Version: "2"})
	if err := release.Adopt(); err != nil {
		t.Fatal(err)
	}
	w.load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: release.URL, Rate: loadRate, Clients: 24})
	t.Cleanup(func() { w.load.Stop() })
	return w
}

func (w *world) deploy(environment string, terms rehearsal.AppTerms) {
	w.t.Helper()
	if err := w.Deploy(w.t.Context(), environment, terms); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) configure(active string) {
	w.t.Helper()
	if err := w.Configure(active); err != nil {
		w.t.Fatal(err)
	}
}

// apply runs terraform apply to its end and returns what it printed, and
// whether it succeeded.
func (w *world) apply(args ...string) (string, bool) {
	w.t.Helper()
	return w.start(args...).wait()
}

// mustApply is an apply that has to succeed.
func (w *world) mustApply(args ...string) string {
	w.t.Helper()
	out, ok := w.apply(args...)
	if !ok {
		w.t.Fatalf("apply failed:\n%s", out)
	}
	return out
}

// mustFail is an apply that has to fail.
func (w *world) mustFail(args ...string) string {
	w.t.Helper()
	out, ok := w.apply(args...)
	if ok {
		w.t.Fatalf("apply succeeded:\n%s", out)
	}
	return out
}

// errorsIn returns the errors that Terraform printed, each paragraph unwrapped to
// one line, without the excerpt of the configuration.
func errorsIn(out string) string {
	var all []string
	for part := range strings.SplitSeq(out, "Error: ") {
		var paragraphs []string
		for paragraph := range strings.SplitSeq(part, "\n\n") {
			text := strings.Join(strings.Fields(strings.Trim(paragraph, "\n╷╵│")), " ")
			if text != "" && !strings.HasPrefix(text, "with ") && !strings.HasPrefix(text, "on ") {
				paragraphs = append(paragraphs, text)
			}
		}
		all = append(all, strings.Join(paragraphs, "\n"))
	}
	return strings.Join(all[1:], "\n\n")
}

// running is an apply in progress.
type running struct {
	t       *testing.T
	command *exec.Cmd
	out     bytes.Buffer
	ended   chan error
}

func (w *world) start(args ...string) *running {
	w.t.Helper()
	r := &running{t: w.t, ended: make(chan error, 1)}
	r.command = w.Terraform.Command(append([]string{"apply", "-no-color", "-auto-approve"}, args...)...)
	r.command.Stdout, r.command.Stderr = &r.out, &r.out
	if err := r.command.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { r.ended <- r.command.Wait() }()
	return r
}

// hangTimeout is the time after which a test counts as hung. It does not measure
// speed.
const hangTimeout = 2 * time.Minute

func (r *running) wait() (string, bool) {
	r.t.Helper()
	select {
	case err := <-r.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			r.t.Fatalf("terraform could not be waited for: %v", err)
		}
		return r.out.String(), err == nil
	case <-time.After(hangTimeout):
		_ = r.command.Process.Kill()
		r.t.Fatalf("terraform has not ended within %s", hangTimeout)
		return "", false
	}
}

// eventually waits for a condition outside this process.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(hangTimeout)
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("timed out waiting: %s; weights %v", what, w.weights())
		}
	}
}

func (w *world) weights() map[string]int {
	w.t.Helper()
	weights, err := w.Stack.Weights(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return weights
}

// all checks that an environment has all the traffic.
func (w *world) all(environment string) bool {
	weights := w.weights()
	for name, n := range weights {
		if name != environment && n > 0 {
			return false
		}
	}
	return weights[environment] > 0
}

func (w *world) mustHaveAll(environment string) {
	w.t.Helper()
	if !w.all(environment) {
		w.t.Errorf("%s does not have all the traffic: %v", environment, w.weights())
	}
}

// lostNothing ends the load and checks that every request was answered.
func (w *world) lostNothing() rehearsal.Counts {
	w.t.Helper()
	counts := w.load.Stop()
	if counts.Lost > 0 {
		w.t.Errorf("%d of %d requests were lost; the first: %s", counts.Lost, counts.Requests, counts.FirstLost)
	}
	if counts.Requests == 0 {
		w.t.Error("there was no load")
	}
	return counts
}

// writes counts the calls that changed an action since a mark.
func (w *world) writes(since int) int {
	n := 0
	for _, call := range w.balancer.Calls()[since:] {
		if call.Action == "ModifyListener" || call.Action == "ModifyRule" {
			n++
		}
	}
	return n
}

func (w *world) mark() int { return len(w.balancer.Calls()) }

func (w *world) path(name string) string { return filepath.Join(w.Terraform.Dir, name) }
