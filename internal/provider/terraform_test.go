package provider_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// Variables by which terraform-plugin-testing finds the binary, and the registry of
// "bluegreen/bluegreen".
const (
	binaryVariable = "TF_ACC_TERRAFORM_PATH"
	hostVariable   = "TF_ACC_PROVIDER_HOST"
)

// source returns the provider's source address for the binary.
func source() string {
	if host := os.Getenv(hostVariable); host != "" {
		return host + "/bluegreen/bluegreen"
	}
	return provider.Address
}

// TestMain removes the AWS and Kubernetes configuration of the machine from the environment, makes Terraform
// cheap, and uses tofu if there is no terraform.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "KUBE") || strings.HasPrefix(name, "TF_LOG") {
			_ = os.Unsetenv(name)
		}
	}
	for _, name := range []string{"GITHUB_STEP_SUMMARY", "BLUEGREEN_REPORT_DIR"} {
		_ = os.Unsetenv(name)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"CHECKPOINT_DISABLE": "1", "TF_ACC_PROVIDER_NAMESPACE": "bluegreen", "TF_LOG_SDK": "off", "TF_LOG_PROVIDER_BLUEGREEN": "off",
	} {
		_ = os.Setenv(name, value)
	}
	if err := slow.Economize(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv(binaryVariable) == "" {
		if path, err := exec.LookPath("terraform"); err == nil {
			_ = os.Setenv(binaryVariable, path)
		} else if path, err := exec.LookPath("tofu"); err == nil {
			_ = os.Setenv(binaryVariable, path)
		}
	}
	if strings.Contains(filepath.Base(os.Getenv(binaryVariable)), "tofu") {
		_ = os.Setenv(hostVariable, "registry.opentofu.org")
	}
	_ = flag.Set("test.parallel", "6") // they wait more than they compute
	dir, err := os.MkdirTemp("", "bluegreen-command-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	commandDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// needTerraform returns the binary, and skips the test without one.
func needTerraform(t *testing.T) string {
	t.Helper()
	path := os.Getenv(binaryVariable)
	if path == "" {
		t.Skip("neither terraform nor tofu is on PATH, and " + binaryVariable + " is not set: the provider cannot be tested without one")
	}
	return path
}

// factories serve the provider inside the test.
func factories() map[string]func() (tfprotov6.ProviderServer, error) {
	return map[string]func() (tfprotov6.ProviderServer, error){
		"bluegreen": func() (tfprotov6.ProviderServer, error) { return provider.NewServer("test", nil)(), nil },
	}
}

// workspace is a folder with a configuration, and Terraform to run in it with
// the provider served by the test.
type workspace struct {
	t        *testing.T
	binary   string
	dir      string
	reattach string
	busy     *provider.Busy
}

func newWorkspace(t *testing.T) *workspace {
	t.Helper()
	w := &workspace{t: t, binary: needTerraform(t), dir: t.TempDir(), busy: new(provider.Busy)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	configs, closed := make(chan *plugin.ReattachConfig, 1), make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- tf6server.Serve(provider.Address, provider.NewServer("test", w.busy),
			tf6server.WithDebug(ctx, configs, closed), tf6server.WithoutLogStderrOverride(),
			tf6server.WithGoPluginLogger(hclog.NewNullLogger()))
	}()
	t.Cleanup(func() {
		cancel()
		<-closed
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	config := <-configs
	text, err := json.Marshal(map[string]any{source(): map[string]any{
		"Protocol": string(config.Protocol), "ProtocolVersion": 6, "Pid": config.Pid, "Test": true,
		"Addr": map[string]string{"Network": config.Addr.Network(), "String": config.Addr.String()},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.reattach = string(text)
	return w
}

// write writes the configuration.
func (w *workspace) write(hcl string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "main.tf"), []byte(hcl), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run is one command of Terraform.
type run struct {
	t      *testing.T
	out    string
	err    error
	errors []message // diagnostics, exactly as the provider gave them
	warned []message
}

// message is a diagnostic.
type message struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address"`
}

// terraform runs a command that takes -json, such as "plan" or "apply".
func (w *workspace) terraform(args ...string) run {
	w.t.Helper()
	return w.command(w.prepare(args...))
}

// hangTimeout is the time after which a command counts as hung.
func hangTimeout() time.Duration { return slow.Deadline(5 * time.Minute) }

// prepare returns a command that is killed when it hangs.
func (w *workspace) prepare(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(w.t.Context(), hangTimeout())
	w.t.Cleanup(cancel)
	cmd := w.prepareIn(ctx, args)
	cmd.Cancel = func() error {
		w.t.Errorf("%s has not ended within %s", strings.Join(cmd.Args, " "), hangTimeout())
		return cmd.Process.Kill()
	}
	return cmd
}

func (w *workspace) prepareIn(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.binary, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "TF_REATTACH_PROVIDERS="+w.reattach, "TF_IN_AUTOMATION=1")
	return cmd
}

// interrupted is terraform with a Ctrl-C when ctx ends, or when it hangs; it is killed if
// it hangs after that.
func (w *workspace) interrupted(ctx context.Context, args ...string) run {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, hangTimeout())
	defer cancel()
	cmd := w.prepareIn(ctx, args)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = hangTimeout()
	return w.command(cmd)
}

func (w *workspace) command(cmd *exec.Cmd) run {
	w.t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	r := run{t: w.t, err: cmd.Run(), out: out.String()}
	for line := range strings.Lines(r.out) {
		var entry struct {
			Diagnostic *message `json:"diagnostic"`
		}
		switch {
		case json.Unmarshal([]byte(line), &entry) != nil || entry.Diagnostic == nil:
		case entry.Diagnostic.Severity == "error":
			r.errors = append(r.errors, *entry.Diagnostic)
		default:
			r.warned = append(r.warned, *entry.Diagnostic)
		}
	}
	if r.err != nil && len(r.errors) == 0 {
		w.t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), r.err, r.out, stderr.String())
	}
	return r
}

// apply plans and applies.
func (w *workspace) apply() run {
	w.t.Helper()
	return w.terraform("apply", "-json", "-auto-approve", "-input=false")
}

// importing returns the error of a failing import, on one line.
func (w *workspace) importing(id, address string) string {
	w.t.Helper()
	cmd := w.prepare("import", "-no-color", "-input=false", address, id)
	out, err := cmd.CombinedOutput()
	if err == nil {
		w.t.Fatalf("importing %s did not fail", id)
	}
	// What Terraform prints before depends on its configuration on the machine.
	_, text, _ := strings.Cut(string(out), "Error: ")
	return strings.Join(strings.Fields("Error: "+text), " ")
}

// imports runs an import that succeeds.
func (w *workspace) imports(id string) {
	w.t.Helper()
	cmd := w.prepare("import", "-no-color", "-input=false", "bluegreen_switch.web", id)
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatal(string(out))
	}
}

// needFunctions skips the test if Terraform does not support provider functions.
func (w *workspace) needFunctions() {
	w.t.Helper()
	out, err := w.prepare("version", "-json").Output()
	w.must(err)
	var shown struct {
		Version string `json:"terraform_version"`
	}
	w.must(json.Unmarshal(out, &shown))
	v, err := version.NewVersion(shown.Version)
	w.must(err)
	if v.LessThan(tfversion.Version1_8_0) {
		w.t.Skipf("%s has no functions of providers", shown.Version)
	}
}

// planFile is the file of the saved plan.
const planFile = "saved.tfplan"

// plan plans and saves the plan.
func (w *workspace) plan(args ...string) run {
	w.t.Helper()
	return w.terraform(append([]string{"plan", "-json", "-input=false", "-out=" + planFile}, args...)...)
}

// applyPlan applies the saved plan.
func (w *workspace) applyPlan() run {
	w.t.Helper()
	return w.terraform("apply", "-json", "-input=false", planFile)
}

// ok ends the test where the command failed.
func (r run) ok() {
	r.t.Helper()
	if r.err != nil {
		r.t.Fatalf("terraform failed:\n%s", r.text())
	}
}

// text is all errors, as "summary\ndetail" with an empty line between two.
func (r run) text() string { return textOf(r.errors) }

// warnings is the same of all warnings.
func (r run) warnings() string { return textOf(r.warned) }

func textOf(messages []message) string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Summary+"\n"+m.Detail)
	}
	return strings.Join(all, "\n\n")
}

// failsAs compares all errors of a command with a golden file of the test.
func (r run) failsAs(part string, replacements ...golden.Replacement) {
	r.t.Helper()
	if r.err == nil {
		r.t.Fatalf("%s: the command succeeded", part)
	}
	golden.CheckPart(r.t, part, r.text(), append(replacements, golden.Volatile()...)...)
}

// wantErrorsOf compares the errors of a command with a golden file, by resource.
// Every one of the resources must have an error, and no other resource may.
func wantErrorsOf(t *testing.T, r run, addresses []string) {
	t.Helper()
	got := map[string][]string{}
	for _, m := range r.errors {
		got[m.Address] = append(got[m.Address], m.Summary+": "+m.Detail)
	}
	text := ""
	for _, address := range slices.Sorted(slices.Values(addresses)) {
		if got[address] == nil {
			t.Errorf("%s has no error", address)
		}
		slices.Sort(got[address])
		text += "-- " + address + "\n" + strings.Join(got[address], "\n") + "\n\n"
		delete(got, address)
	}
	if len(got) > 0 {
		t.Errorf("errors of other resources: %v", got)
	}
	golden.Check(t, text, golden.Volatile()...)
}

// goldenValue compares a string in the state with a golden file of the test.
type goldenValue struct {
	t    *testing.T
	part string
}

// CheckValue implements knownvalue.Check.
func (g goldenValue) CheckValue(value any) error {
	golden.CheckPart(g.t, g.part, fmt.Sprint(value), golden.Volatile()...)
	return nil
}

// String implements knownvalue.Check.
func (g goldenValue) String() string { return "the golden file " + g.part }

// scheduleIs compares the schedule of the saved plan with a golden file of the test.
func (w *workspace) scheduleIs(part string) {
	w.t.Helper()
	planned, _ := w.planned()
	golden.CheckPart(w.t, part, fmt.Sprint(planned["schedule"]), golden.Volatile()...)
}

// ageMemory makes the recorded previous version and the last reading this much
// older.
func (w *workspace) ageMemory(by time.Duration) {
	w.t.Helper()
	file := filepath.Join(w.dir, "terraform.tfstate")
	text, err := os.ReadFile(file)
	w.must(err)
	var state struct {
		Resources []struct {
			Instances []struct {
				Private string `json:"private"`
			} `json:"instances"`
		} `json:"resources"`
	}
	w.must(json.Unmarshal(text, &state))
	before := state.Resources[0].Instances[0].Private
	var private map[string]string // of base64, all of it in base64 again
	w.unpack(before, &private)
	var memory map[string]any
	w.unpack(private["memory"], &memory)
	previous, ok := memory["previous"].(map[string]any)
	if !ok {
		w.t.Fatal("no previous version is recorded")
	}
	memory["read_at"], previous["at"] = w.older(memory["read_at"], by), w.older(previous["at"], by)
	private["memory"] = w.pack(memory)
	w.must(os.WriteFile(file, bytes.Replace(text, []byte(before), []byte(w.pack(private)), 1), 0o600))
}

func (w *workspace) older(at any, by time.Duration) time.Time {
	w.t.Helper()
	t, err := time.Parse(time.RFC3339Nano, fmt.Sprint(at))
	w.must(err)
	return t.Add(-by)
}

func (w *workspace) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *workspace) unpack(text string, into any) {
	w.t.Helper()
	plain, err := base64.StdEncoding.DecodeString(text)
	w.must(err)
	w.must(json.Unmarshal(plain, into))
}

func (w *workspace) pack(value any) string {
	w.t.Helper()
	text, err := json.Marshal(value)
	w.must(err)
	return base64.StdEncoding.EncodeToString(text)
}

// values are the attributes of the switch in the state, or nil without one.
func (w *workspace) values() map[string]any {
	w.t.Helper()
	cmd := w.prepare("show", "-json")
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return switchIn(w.t, out, "values")
}

// planned returns the switch's attributes in the saved plan, and the action:
// "no-op", "create" or "update".
func (w *workspace) planned() (map[string]any, string) {
	w.t.Helper()
	cmd := w.prepare("show", "-json", planFile)
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatal(err)
	}
	var shown struct {
		Changes []struct {
			Type   string `json:"type"`
			Change struct {
				Actions []string       `json:"actions"`
				After   map[string]any `json:"after"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal(out, &shown); err != nil {
		w.t.Fatal(err)
	}
	for _, c := range shown.Changes {
		if c.Type == "bluegreen_switch" {
			return c.Change.After, strings.Join(c.Change.Actions, ",")
		}
	}
	return nil, ""
}

func switchIn(t *testing.T, shown []byte, part string) map[string]any {
	t.Helper()
	var state map[string]json.RawMessage
	if err := json.Unmarshal(shown, &state); err != nil {
		t.Fatal(err)
	}
	var values struct {
		Root struct {
			Resources []struct {
				Type   string         `json:"type"`
				Values map[string]any `json:"values"`
			} `json:"resources"`
		} `json:"root_module"`
	}
	if state[part] == nil {
		return nil
	}
	if err := json.Unmarshal(state[part], &values); err != nil {
		t.Fatal(err)
	}
	for _, r := range values.Root.Resources {
		if r.Type == "bluegreen_switch" {
			return r.Values
		}
	}
	return nil
}

// hcl is a configuration with one switch.
type hcl struct {
	routes       string // routes = { ... }
	stickiness   string
	environments string
	traffic      string // active = or weights =
	settle       string
	strategy     string // the rest of the block
	health       string
	gates        string
	rest         string
	before       string // other blocks
	aws          string // more of the provider's aws attribute
}

// in returns the configuration for a load balancer.
func (h hcl) in(b *bench) string { return settings(b, h.aws) + h.before + h.resource("web") }

// settingsKeys are the lines that a test may replace.
const settingsKeys = `access_key = "AKIALOCAL"
    secret_key = "secret"`

// settings returns the provider block, with more arguments of its aws attribute.
func settings(b *bench, more string) string { return settingsAt(b.srv.URL(), more) }

// settingsAt is settings for an endpoint.
func settingsAt(endpoint, more string) string {
	return fmt.Sprintf(`
terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

provider "bluegreen" {
  aws {
    region = "us-east-1"
    endpoints {
      elbv2      = %[1]q
      route53    = %[1]q
      lambda     = %[1]q
      sts        = %[1]q
      cloudwatch = %[1]q
    }
    %[2]s
    %[3]s
  }
}
`, endpoint, settingsKeys, more)
}

// resource returns the HCL of the switch, with short health and settle durations
// unless they are set.
func (h hcl) resource(name string) string {
	if h.health == "" {
		h.health = `
    steady_for = "0s"
    timeout    = "10m"`
	}
	if h.settle == "" {
		h.settle = `settle = "0s"`
	}
	return fmt.Sprintf(`
resource "bluegreen_switch" %q {
  load_balancer {
    %s
    %s
  }
  environments = { %s
  }
  %s
  strategy {
    %s
    %s
  }
  health { %s
  }
  %s
  %s
}
`, name, h.routes, h.stickiness, h.environments, h.traffic, h.settle, h.strategy, h.health, h.gates, h.rest)
}

// release is the usual configuration of a site: blue 1.0 and green 1.1.
func (s *site) release(active string) hcl {
	return hcl{
		routes:       fmt.Sprintf("routes = { web = [%q] }", s.listener),
		environments: environment("blue", "1.0", s.blue.group) + environment("green", "1.1", s.green.group),
		traffic:      fmt.Sprintf("active = %q", active),
	}
}

// environment returns an environment with the entry point web, as a bluegreen_environment that
// is assigned as a whole: it is not inline, of which every schedule would warn.
func environment(name, version, group string) string {
	return fmt.Sprintf("\n    %q = { version = %q, target_groups = { web = %q }, resource_type = \"bluegreen_environment\" }", name, version, group)
}
