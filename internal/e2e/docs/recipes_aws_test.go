//go:build linux

package docs

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// A recipe is an example for a listener that a module creates, in a folder where Terraform runs
// with the real hashicorp/aws. Its configuration is put together from the parts of the example.
type recipe struct {
	*rehearsal.Example
	t      *testing.T
	srv    *localaws.Server
	load   *rehearsal.Load
	main   string // the text of the example's main.tf
	values map[string]any
}

// instances are the machines of the environments, which localaws reaches at addresses of their own.
var instances = map[string]string{"blue": "i-0000000000000000b", "green": "i-0000000000000000c"}

func newRecipe(t *testing.T, name string) *recipe {
	t.Helper()
	built := e2e.Build(t)
	plugins := built.WithPlugins(t, "hashicorp/aws")
	blue, port := serve(t, "127.0.0.2:0", "1.0")
	green, _ := serve(t, "127.0.0.3:"+port, "1.1")
	srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(100*time.Millisecond),
		localaws.WithInstances(map[string]string{instances["blue"]: blue, instances["green"]: green}),
		localaws.WithMetricsClock(time.Second, 500*time.Millisecond), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Binary: built.Terraform, CLIConfig: plugins, Dir: t.TempDir(), Endpoint: srv.URL(),
		Sources: []string{filepath.Join(built.Root, "examples", name)}, Pace: e2e.Brisk()})
	if err != nil {
		t.Fatal(err)
	}
	example.Terraform.Env = append(example.Terraform.Env, "AWS_ENDPOINT_URL_STS="+srv.URL(), "AWS_ENDPOINT_URL_EC2="+noInterfaces(t))
	example.Terraform.Limit = slow.Deadline(5 * time.Minute)
	r := &recipe{Example: example, t: t, srv: srv, values: map[string]any{"vpc": "vpc-00000001", "subnets": []string{"subnet-0000000a", "subnet-0000000b"},
		"port": port, "instances": instances, "region": rehearsal.Region}}
	r.main = r.shortened()
	r.activate("blue")
	if err := r.Init(); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve serves a version until the end of the test, and returns its host and port.
func serve(t *testing.T, address, version string) (host, port string) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: rehearsal.AppTerms{Version: version}.Handler(), ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	host, port, err = net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// noInterfaces is the part of EC2 that hashicorp/aws calls when it destroys a load balancer: no
// network interface of it is left.
func noInterfaces(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "DescribeNetworkInterfaces" {
			t.Errorf("hashicorp/aws calls EC2: %s", r.FormValue("Action"))
		}
		_, _ = io.WriteString(w, `<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><networkInterfaceSet/></DescribeNetworkInterfacesResponse>`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// shortened returns main.tf of the example, with the durations that it leaves to their defaults
// shortened as well.
func (r *recipe) shortened() string {
	r.t.Helper()
	pace := e2e.Brisk()
	text := r.read("main.tf")
	for _, edit := range [][2]string{
		{"  strategy {\n", fmt.Sprintf("  health {\n    steady_for = %q\n  }\n\n  strategy {\n    settle = %q\n", pace.SteadyFor, pace.Settle)},
		{"    name = \"users\"\n", fmt.Sprintf("    name = \"users\"\n    interval = %q\n", pace.Interval)},
		{"      max_error_rate = 1\n", "      max_error_rate = 1\n      period = \"1s\"\n      lag = \"500ms\"\n"},
		{"  version       = each.value\n", fmt.Sprintf("  version       = each.value\n  drain = %q\n", pace.Drain)},
	} {
		if strings.Count(text, edit[0]) != 1 {
			r.t.Fatalf("main.tf does not have %q once", edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	return text
}

func (r *recipe) read(file string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Terraform.Dir, file))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// without returns a configuration without the blocks that begin with the texts, and without the
// comments before them.
func (r *recipe) without(text string, blocks ...string) string {
	r.t.Helper()
	for _, block := range blocks {
		pattern := regexp.MustCompile(`(?m)^(#.*\n)*` + regexp.QuoteMeta(block) + `(?s:.*?)^\}\n`)
		if len(pattern.FindAllString(text, -1)) != 1 {
			r.t.Fatalf("the configuration does not have %q once", block)
		}
		text = pattern.ReplaceAllString(text, "")
	}
	return text
}

// added begin the blocks that the last step of a recipe adds.
var added = []string{`resource "bluegreen_environment" "app" {`, `resource "bluegreen_switch" "web" {`}

// write writes main.tf.
func (r *recipe) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.Terraform.Dir, "main.tf"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// activate sets the value of the variable active.
func (r *recipe) activate(environment string) {
	r.t.Helper()
	r.values["active"] = environment
	if err := r.Set(r.values); err != nil {
		r.t.Fatal(err)
	}
}

func (r *recipe) run(args ...string) string {
	r.t.Helper()
	var out strings.Builder
	if err := r.Terraform.Run(&out, append(args, "-no-color", "-input=false")...); err != nil {
		r.t.Fatalf("%v: %v\n%s", args, err, out.String())
	}
	return out.String()
}

func (r *recipe) apply() {
	r.t.Helper()
	r.run("apply", "-auto-approve")
}

// mustBeSettled checks that a plan of everything is empty.
func (r *recipe) mustBeSettled() {
	r.t.Helper()
	r.run("plan", "-detailed-exitcode") // fails for any change
}

// mustMoveNothing applies an edit of resources of hashicorp/aws and checks that no calls but those in the list change anything.
func (r *recipe) mustMoveNothing(allowed ...string) {
	r.t.Helper()
	mark := len(r.srv.Calls())
	r.apply()
	for _, call := range r.srv.Calls()[mark:] {
		if reads := strings.HasPrefix(call.Action, "Describe") || strings.HasPrefix(call.Action, "Get"); !reads && !slices.Contains(allowed, call.Action) {
			r.t.Errorf("the apply called %s", call.Action)
		}
	}
}

// module is the ARNs of the resources of a module in "terraform show -json".
type module struct {
	Resources []struct {
		Address string
		Values  struct{ ARN string }
	}
	Children []module `json:"child_modules"`
}

func (m module) find(address string) string {
	for _, resource := range m.Resources {
		if resource.Address == address {
			return resource.Values.ARN
		}
	}
	for _, child := range m.Children {
		if found := child.find(address); found != "" {
			return found
		}
	}
	return ""
}

// arn returns the ARN of a resource in the state.
func (r *recipe) arn(address string) string {
	r.t.Helper()
	text, err := r.Terraform.Output("show", "-json")
	if err != nil {
		r.t.Fatal(err)
	}
	var state struct {
		Values struct {
			Root module `json:"root_module"`
		}
	}
	if err := json.Unmarshal(text, &state); err != nil {
		r.t.Fatal(err)
	}
	found := state.Values.Root.find(address)
	if found == "" {
		r.t.Fatalf("the state has no %s", address)
	}
	return found
}

// mustHaveAll checks that an environment has all traffic of a listener or rule.
func (r *recipe) mustHaveAll(route, environment string) {
	r.t.Helper()
	group := r.arn(`aws_lb_target_group.app["` + environment + `"]`)
	weights := r.srv.Weights(route)
	maps.DeleteFunc(weights, func(_ string, weight int) bool { return weight == 0 })
	if len(weights) != 1 || weights[group] == 0 {
		r.t.Errorf("%s (%s) should have all traffic; the route has %v", environment, group, weights)
	}
}

// ask starts the load of users of a listener.
func (r *recipe) ask(listener string) {
	r.load = rehearsal.StartLoad(rehearsal.LoadTerms{URL: "http://" + r.srv.ListenerAddr(listener), Rate: e2e.ParallelRate, Clients: 16})
	r.t.Cleanup(func() { r.load.Stop() })
}

// lives releases to green and back, with an empty plan of everything after each, and destroys everything.
func (r *recipe) lives(route string) {
	r.t.Helper()
	r.mustHaveAll(route, "blue")
	r.mustBeSettled()
	if counts := r.load.Counts(); counts.ByVersion["1.0"] == 0 || counts.ByVersion["1.1"] > 0 {
		r.t.Errorf("the adoption should have left all requests to 1.0; responses by version: %v", counts.ByVersion)
	}
	for _, environment := range []string{"green", "blue"} {
		r.activate(environment)
		r.apply()
		r.mustHaveAll(route, environment)
		r.mustBeSettled()
	}
	counts := r.load.Stop()
	if counts.Lost > 0 || counts.ByVersion["1.0"] == 0 || counts.ByVersion["1.1"] == 0 {
		r.t.Errorf("%d of %d requests were lost, the first: %s; responses by version: %v", counts.Lost, counts.Requests, counts.FirstLost, counts.ByVersion)
	}
	r.Terraform.Env = append(r.Terraform.Env, "BLUEGREEN_ALLOW_DESTROY=1")
	r.run("destroy", "-auto-approve")
	if left, err := r.Terraform.Output("state", "list"); err != nil || len(left) > 0 {
		r.t.Errorf("destroy left %s: %v", left, err)
	}
}

// guideBlock returns the block of the guide Adopting a running production that begins with a text.
func guideBlock(t *testing.T, begin string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(e2e.Build(t).Root, "docs", "guides", "adopting-production.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```terraform\n"+begin)
	if !found {
		t.Fatalf("the guide has no block that begins with %q", begin)
	}
	block, _, _ = strings.Cut(block, "```")
	return begin + block
}

// edited returns a text in which an expected part is replaced.
func edited(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("the configuration does not have %q once:\n%s", old, text)
	}
	return strings.Replace(text, old, replacement, 1)
}

// adoptedAtOnce is the line of a schedule that could not read the weights.
const adoptedAtOnce = "If the routes already send all traffic to blue, no traffic is moved: the apply only attaches green at weight 0."

// The first recipe of the guide: the listener is taken out of the module, and the switch is imported.
func TestGuide_listenerFromAModuleBesideAWS(t *testing.T) {
	t.Parallel()
	r := newRecipe(t, "listener-from-a-module")
	moved := guideBlock(t, "moved {\n")
	bare := r.without(r.main, append([]string{"moved {", `resource "aws_lb_listener" "http" {`}, added...)...)
	before := edited(t, bare, "  # listeners was { http", "  listeners = { http")
	r.write(before)
	r.apply()
	listener := r.arn(`module.alb.aws_lb_listener.this["http"]`)
	r.ask(listener)

	r.write(bare + moved)
	plan := r.run("plan")
	if !strings.Contains(plan, "Plan: 0 to add, 0 to change, 0 to destroy.") || !strings.Contains(plan, `module.alb.aws_lb_listener.this["http"] has moved to aws_lb_listener.http`) {
		t.Errorf("the plan should have the move and nothing else:\n%s", plan)
	}
	r.mustMoveNothing()
	if r.arn("aws_lb_listener.http") != listener {
		t.Error("the listener was created anew")
	}

	r.write(r.main + guideBlock(t, "import {\n"))
	if plan := r.run("plan"); !strings.Contains(plan, "No traffic is moved: blue (1.0) 100 %.") {
		t.Errorf("the schedule of the import should say that no traffic is moved:\n%s", plan)
	}
	r.apply()
	r.lives(listener)
}

// The second recipe of the guide: a rule beside the listener of the module, and the switch is created.
func TestGuide_ruleBesideAModuleBesideAWS(t *testing.T) {
	t.Parallel()
	r := newRecipe(t, "rule-beside-a-module")
	rule := guideBlock(t, `resource "aws_lb_listener_rule" "web" {`)
	bare := r.without(r.main, append([]string{`resource "aws_lb_listener_rule" "web" {`}, added...)...)
	before := edited(t, bare, "{ http = { port = 80 } }", `{ http = { port = 80, target_group_arn = aws_lb_target_group.app["blue"].arn } }`)
	r.write(before)
	r.apply()
	listener := r.arn(`module.alb.aws_lb_listener.this["http"]`)
	r.ask(listener)

	r.write(before + rule)
	r.mustMoveNothing("CreateRule")
	r.write(bare + rule)
	r.mustMoveNothing("ModifyListener")
	route := r.arn("aws_lb_listener_rule.web")
	r.mustHaveAll(route, "blue")

	r.write(r.main)
	if plan := r.run("plan"); !strings.Contains(plan, adoptedAtOnce) {
		t.Errorf("the schedule should have the line of the guide:\n%s", plan)
	}
	r.apply()
	r.lives(route)
}

// What a plan and an error say first where hashicorp/aws has reset a route.
const (
	alone     = "One target group alone is attached on: web. A resource that manages the route leaves it like that. " + firstGive
	firstGive = "If hashicorp/aws or a module manages this listener or rule, first give that resource lifecycle { ignore_changes = [default_action] } (a rule: [action]), or it moves the traffic again."
)

// fails runs an apply that has to fail, and returns its output without line breaks.
func (r *recipe) fails() string {
	r.t.Helper()
	var out strings.Builder
	if err := r.Terraform.Run(&out, "apply", "-auto-approve", "-no-color", "-input=false"); err == nil {
		r.t.Fatalf("the apply should fail:\n%s", out.String())
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// Without a recipe, hashicorp/aws resets the listener of the module. The next plan and the next apply name it first, and no version
// is rejected for it.
func TestGuide_listenerInAModuleBesideAWS(t *testing.T) {
	t.Parallel()
	r := newRecipe(t, "listener-from-a-module")
	bare := r.without(r.main, "moved {", `resource "aws_lb_listener" "http" {`)
	managed := edited(t, edited(t, bare, "  # listeners was { http", "  listeners = { http"), "aws_lb_listener.http.arn", `module.alb.listener_arns["http"]`)
	r.write(managed)
	r.apply()
	listener := r.arn(`module.alb.aws_lb_listener.this["http"]`)
	r.ask(listener)
	r.activate("green")
	r.apply()
	r.mustHaveAll(listener, "green")

	r.apply() // of anything else
	r.mustHaveAll(listener, "blue")
	if plan := strings.Join(strings.Fields(r.run("plan")), " "); !strings.Contains(plan, alone+" Traffic was moved off green (1.1) 100 % outside Terraform") {
		t.Errorf("the plan should name hashicorp/aws first:\n%s", plan)
	}
	if failed := r.fails(); !strings.Contains(failed, "Traffic: blue 100 %. Nothing was changed.") || !strings.Contains(failed, firstGive) {
		t.Errorf("the error should name hashicorp/aws first:\n%s", failed)
	}
	r.mustHaveAll(listener, "blue")
	r.activate("blue")
	r.apply()
	r.mustHaveAll(listener, "blue")

	// A module that follows the release sends everything to the new version at once.
	r.write(edited(t, managed, `port = 80, target_group_arn = aws_lb_target_group.app["blue"].arn`, "port = 80, target_group_arn = aws_lb_target_group.app[var.active].arn"))
	r.activate("green")
	if failed := r.fails(); !strings.Contains(failed, "Traffic: green 100 %. Nothing more was changed after the external change. Another process changed the route: observed green 100 %; planned blue 100 %, green 0 %. If hashicorp/aws or a module manages") {
		t.Errorf("the error should name hashicorp/aws first:\n%s", failed)
	}
	if plan := strings.Join(strings.Fields(r.run("plan")), " "); !strings.Contains(plan, alone+" Traffic was moved to green (1.1) 100 % outside Terraform") {
		t.Errorf("the plan should name hashicorp/aws first:\n%s", plan)
	}

	// The recipe frees the listener. No version was rejected, or the apply would fail.
	r.write(r.main)
	r.apply()
	r.mustHaveAll(listener, "green")
	r.mustBeSettled()
}
