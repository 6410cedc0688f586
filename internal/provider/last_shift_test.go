package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// firstCall returns a URL that answers 200 and runs a function at the first call.
func firstCall(t *testing.T, first func()) string {
	t.Helper()
	var once sync.Once
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { once.Do(first) }))
	t.Cleanup(server.Close)
	return server.URL
}

func (w *workspace) lastShift() map[string]any {
	w.t.Helper()
	last, ok := w.values()["last_shift"].(map[string]any)
	if !ok {
		w.t.Fatal("there is no last shift")
	}
	return last
}

// stoppedSite has blue live, and a shift to green that its gate stopped at 5 %.
func stoppedSite(t *testing.T) (*site, *workspace, run) {
	t.Helper()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	h := s.guarded("green")
	h.strategy += "\n on_failure = \"stop\""
	w.write(h.in(s.bench))
	r := w.apply()
	if r.err == nil {
		t.Fatal("the gate did not fail")
	}
	s.want("app-blue 95, app-green 5")
	return s, w, r
}

func TestSwitch_stopsWithOnFailureStop(t *testing.T) {
	t.Parallel()
	s, w, r := stoppedSite(t)
	r.failsAs("stopped")
	if last := w.lastShift(); last["outcome"] != "stopped" || w.values()["rejected"] != nil {
		t.Errorf("%v, rejected %v", last, w.values()["rejected"])
	}
	// Traffic is moved back outside Terraform, which rejects the version.
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	s.unwritten(func() {
		r := w.apply()
		r.failsAs("rejected")
	})
}

// A refresh right after a stop that shows what was there before is no return of the traffic.
func TestSwitch_staleReadAfterAStop(t *testing.T) {
	t.Parallel()
	s, w, _ := stoppedSite(t)
	s.green.status.Store(http.StatusOK)
	s.srv.Inject(faults.Fault{Action: "DescribeListeners", Kind: faults.StaleRead, Times: 2})
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
	if rejected := w.values()["rejected"]; rejected != nil {
		t.Errorf("rejected is %v", rejected)
	}
}

// After a stop at 100 % the state equals the configuration, but the bake is still
// to be done.
func TestSwitch_stopDuringBakeLeavesAPlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	h := s.release("green")
	h.strategy = "on_failure = \"stop\"\n bake = \"1ms\""
	h.gates = s.gate(`when = "after"`)
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("the bake did not fail")
	}
	s.want("app-blue 0, app-green 100")
	s.green.status.Store(http.StatusOK)
	w.plan().ok()
	if _, action := w.planned(); action != "update" {
		t.Errorf("the plan is %s", action)
	}
	w.scheduleIs("bake_only")
	s.unwritten(func() { w.applyPlan().ok() })
	if last := w.lastShift(); last["outcome"] != "completed" {
		t.Error(last)
	}
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

func TestSwitch_externalChangeDuringShift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	url := firstCall(t, func() { s.changeExternally(s.listener, forward(weights{s.blue.group: 80, s.green.group: 20})) })
	h.gates = smokeGate(url, "10ms")
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	s.want("app-blue 80, app-green 20")
	if last := w.lastShift(); last["outcome"] != "external_change" || fmt.Sprint(w.values()["weights"]) != "map[blue:80 green:20]" {
		t.Errorf("%v", w.values())
	}
}

// Somebody returns all traffic in mid-shift: the error says that the version is rejected now, as the next apply does.
func TestSwitch_externalRollbackDuringShift(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	h.gates = smokeGate(firstCall(t, func() { s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0})) }), "10ms")
	w.write(h.in(s.bench))
	w.apply().failsAs("error")
	if rejected := fmt.Sprint(w.values()["rejected"]); !strings.Contains(rejected, "environment:green") {
		t.Errorf("rejected is %s", rejected)
	}
}

func TestSwitch_gateErrorRejectsNothing(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.srv.Hook(func(call localaws.Call) {
		if call.Action == "ModifyListener" {
			server.Close() // it was reached before the shift, and nobody listens there any more
		}
	}))
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "1ms" }]`
	h.gates = smokeGate(server.URL, "5ms", "consecutive_error_limit = 1")
	w.write(h.in(s.bench))
	r := w.apply()
	s.want("app-blue 100, app-green 0")
	r.failsAs("gate_errored")
	if last := w.lastShift(); last["outcome"] != "rolled_back" || w.values()["rejected"] != nil {
		t.Errorf("%v, rejected %v", last, w.values()["rejected"])
	}
}

// A credential process that returns the same credentials does not extend them.
func TestSwitch_credentialsExpireDuringHold(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	credentials := filepath.Join(w.dir, "credentials.json")
	ends := time.Now().Add(30 * time.Minute).UTC().Truncate(time.Second)
	if err := os.WriteFile(credentials, fmt.Appendf(nil,
		`{"Version": 1, "AccessKeyId": "AKIALOCAL", "SecretAccessKey": "secret", "SessionToken": "token", "Expiration": %q}`,
		ends.Format(time.RFC3339)), 0o600); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(w.dir, "config")
	if err := os.WriteFile(profile, fmt.Appendf(nil, "[default]\ncredential_process = cat %s\n", credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	h := s.release("green")
	h.strategy = `steps = [{ percent = 5, hold = "2h" }]`
	text := strings.ReplaceAll(h.in(s.bench), settingsKeys, fmt.Sprintf("shared_config_files = [%q]", profile))
	w.write(text)
	before := len(s.writes())
	r := w.apply()
	r.failsAs("credentials_expire")
	s.want("app-blue 100, app-green 0")
	if n := len(s.writes()) - before; n != 0 {
		t.Errorf("%d writes, want none", n)
	}
}

func TestSwitch_headersAreSensitive(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("green")
	h.gates = httpGate(`headers = { Authorization = "hush-hush" }`, "")
	w.write(h.in(s.bench))
	r := w.terraform("plan", "-no-color", "-input=false")
	if strings.Contains(r.out, "hush-hush") || !strings.Contains(r.out, "headers = (sensitive value)") {
		t.Error(r.out)
	}
}

// An unknown listener of one entry point leaves the others known.
func TestSwitch_routesUnknownAtPlan(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	h := s.release("blue")
	h.before = fmt.Sprintf("\nresource \"terraform_data\" \"rule\" {\n  input = %q\n}\n", s.secondRule)
	h.routes = fmt.Sprintf("routes = { web = [%q], api = [terraform_data.rule.output] }", s.listener)
	w.write(h.in(s.bench))
	w.plan().ok()
	planned, _ := w.planned()
	if _, known := planned["schedule"]; known {
		t.Errorf("the schedule is known: %v", planned["schedule"])
	}
	w.applyPlan().ok()
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
}

// An entry point that is added to a switch is adopted with its current weights.
func TestSwitch_addedEntryPointIsAdopted(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.site.release("blue").in(s.bench))
	w.apply().ok()
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	w.plan().ok()
	if _, action := w.planned(); action != "no-op" {
		t.Error(action)
	}
	w.write(s.release("green").in(s.bench))
	w.apply().ok()
	s.want("app-blue 0, app-green 100")
}

// With an unknown version, the plan cannot know whether it is rejected or was
// live before.
func TestSwitch_versionUnknownAtPlan(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	h := s.release("green")
	h.before = "\nresource \"terraform_data\" \"version\" {\n  input = \"1.1\"\n}\n"
	h.environments = strings.Replace(h.environments, `"1.1"`, "terraform_data.version.output", 1)
	w.write(h.in(s.bench))
	w.plan().ok()
	planned, _ := w.planned()
	if _, known := planned["schedule"]; known {
		t.Errorf("the schedule is known: %v", planned["schedule"])
	}
	w.applyPlan().ok()
	if live := fmt.Sprint(w.values()["live"]); live != "map[environment:green version:1.1]" {
		t.Error(live)
	}
	s.want("app-blue 0, app-green 100")
}

// The route has unmanaged target groups; with the desired ones they exceed the
// limit of ELB, which only the plan of an Update can know.
func TestSwitch_tooManyGroupsOnTheRoute(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	crowd := weights{s.blue.group: 60}
	for i := range 4 {
		crowd[s.group(fmt.Sprint("unmanaged-", i))] = 10
	}
	s.changeExternally(s.listener, forward(crowd))
	w.write(s.release("green").in(s.bench))
	w.plan().failsAs("error")
}

// Under ignore_changes the state's value replaces the configured one and may
// contradict the other attribute.
func TestSwitch_ignoredWeightsAgainstActive(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	h.rest = "lifecycle { ignore_changes = [weights] }"
	w.write(h.in(s.bench))
	w.apply().ok()
	h.traffic = `active = "green"`
	w.write(h.in(s.bench))
	w.plan().failsAs("error")
}

// A rollback from a split that a failed apply left is one write for each route that differs,
// without the gates and the calls that it does not need.
func TestSwitch_rollbackFromASplitSkipsChecks(t *testing.T) {
	t.Parallel()
	s, w := newTwoEntries(t), newWorkspace(t)
	w.write(s.release("blue").in(s.bench))
	w.apply().ok()
	s.green.status.Store(http.StatusInternalServerError)
	h := s.release("green")
	h.strategy = "steps = [{ percent = 5, hold = \"1ms\" }]\n on_failure = \"stop\""
	h.gates = s.gate()
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil {
		t.Fatal("the shift did not stop")
	}
	s.want("app-blue 95, app-green 5")
	s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
	before := len(s.writes())
	remove := s.refuse("DescribeTargetGroups", "", 0)
	defer remove()
	h = s.release("blue")
	h.gates = httpGate(`headers_env = { Authorization = "BLUEGREEN_TEST_UNSET" }`, "")
	w.write(h.in(s.bench))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	if n := len(s.writes()) - before; n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
}
