//go:build linux

package chaos

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// setup is what differs between the switches of the matrix.
type setup struct {
	routes int
	sticky bool
	later  bool // blue 1.2 replaced green 1.1, so there is a previous version
}

func (s setup) String() string {
	return fmt.Sprintf("%d routes, sticky %t, later %t", s.routes, s.sticky, s.later)
}

func setups() []setup {
	return []setup{{1, false, false}, {1, true, true}, {3, false, true}, {3, true, false}}
}

// quick is a pace at which a shift takes about a second.
var quick = rehearsal.Pace{Hold: "200ms", Settle: "300ms", SteadyFor: "100ms"}

// slow leaves time to interfere with a hold, and not more than a failing gate needs.
var slow = rehearsal.Pace{Hold: "20s", Settle: "300ms", SteadyFor: "100ms"}

// rig is a switch in which blue is live and green 1.3 is about to be released.
type rig struct {
	*e2e.World
	setup
	t      *testing.T
	arns   []string
	broken *atomic.Bool // the gate fails
	loads  []*rehearsal.Load
}

func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	r := &rig{setup: s, t: t, broken: &atomic.Bool{}}
	e2e.NewUnloadedWorld(t, quick, r.configure)
	r.load()
	if s.later {
		r.MustDeploy("green", rehearsal.AppTerms{Version: "1.1"})
		r.MustConfigure("green")
		r.MustApply()
		r.MustDeploy("blue", rehearsal.AppTerms{Version: "1.2"})
		r.MustConfigure("blue")
		r.MustApply()
	}
	r.MustDeploy("green", rehearsal.AppTerms{Version: "1.3"})
	r.MustConfigure("green")
	return r
}

// configure sets the gate and the routes.
func (r *rig) configure(w *e2e.World) {
	r.t.Helper()
	r.World = w
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if r.broken.Load() {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	r.t.Cleanup(gate.Close)
	r.SetGates(fmt.Sprintf(`
  gate {
    name     = "alarm"
    interval = "100ms"
    http {
      url           = %q
      expect_status = [200]
    }
  }
`, gate.URL))
	r.arns = []string{r.Stack.Listener}
	for i := 1; i < r.routes; i++ {
		r.arns = append(r.arns, r.AddRule(i))
	}
	text := fmt.Sprintf("routes = { web = [%q] }", strings.Join(r.arns, `", "`))
	text = strings.ReplaceAll(text, `\"`, `"`)
	if r.sticky {
		text += "\n    stickiness = \"5s\""
	}
	r.Edit("routes = { web = [var.listener_arn] }", text)
}

// loadRate is the number of requests in a second on each route.
const loadRate = 25

func (r *rig) load() {
	for i := range r.arns {
		load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: fmt.Sprintf("%s/%d/x", r.URL, i), Rate: loadRate, Clients: 8})
		r.loads = append(r.loads, load)
		r.t.Cleanup(func() { load.Stop() })
	}
}

// violatef reports a broken promise.
func (r *rig) violatef(v violation, format string, args ...any) {
	r.t.Helper()
	results.add(r.t, v)
	r.t.Errorf("%s: "+format, append([]any{v}, args...)...)
}

// lostNothing checks that users got all answers.
func (r *rig) lostNothing() {
	r.t.Helper()
	for _, load := range r.loads {
		if c := load.Stop(); c.Lost > 0 || c.Requests == 0 {
			r.violatef(lost, "%d of %d requests were lost; the first: %s", c.Lost, c.Requests, c.FirstLost)
		}
	}
}

// red adds a third environment.
func (r *rig) red() {
	r.t.Helper()
	out, err := r.Stack.Client().CreateTargetGroup(r.t.Context(), &elb.CreateTargetGroupInput{
		Name: new("app-red"), Protocol: types.ProtocolEnumHttp, Port: new(int32(80)), TargetType: types.TargetTypeEnumIp, VpcId: new("vpc-00000001"),
		HealthCheckPath: new("/healthz"), HealthCheckIntervalSeconds: new(int32(5)), HealthCheckTimeoutSeconds: new(int32(2)),
		HealthyThresholdCount: new(int32(2)), UnhealthyThresholdCount: new(int32(2))})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Stack.Groups["red"] = *out.TargetGroups[0].TargetGroupArn
	r.MustDeploy("red", rehearsal.AppTerms{Version: "1.9"})
}

// weights returns the shares in percent of one route, nil where it does not exist or does not forward.
func (r *rig) weights(arn string) map[string]int {
	r.t.Helper()
	shares, sum := map[string]int{}, 0
	for group, n := range r.Balancer.Weights(arn) {
		shares[r.owner(group)] += n
		sum += n
	}
	for name := range shares {
		if sum > 0 {
			shares[name] = shares[name] * 100 / sum
		}
	}
	maps.DeleteFunc(shares, func(_ string, n int) bool { return n == 0 })
	if len(shares) == 0 {
		return nil
	}
	return shares
}

func (r *rig) owner(group string) string {
	for name, arn := range r.Stack.Groups {
		if arn == group {
			return name
		}
	}
	return group
}

// all returns the shares of every route.
func (r *rig) all() []map[string]int {
	r.t.Helper()
	var all []map[string]int
	for _, arn := range r.arns {
		all = append(all, r.weights(arn))
	}
	return all
}

// on checks that an environment has all the traffic of every route.
func (r *rig) on(name, out string) {
	r.t.Helper()
	for _, w := range r.all() {
		if w[name] != 100 {
			v := notConverged
			if r.broken.Load() && w["green"] > 0 {
				v = badRemains
			}
			r.violatef(v, "users are on %v, not on %s\n%s", r.all(), name, out)
			return
		}
	}
}

// sole returns the environment that has all the traffic, empty where none has.
func (r *rig) sole() string {
	r.t.Helper()
	all := r.all()
	for _, name := range []string{"blue", "green", "red"} {
		if !slices.ContainsFunc(all, func(w map[string]int) bool { return w[name] != 100 }) {
			return name
		}
	}
	return ""
}

// exposed returns the number of routes on which green has traffic.
func (r *rig) exposed() int {
	r.t.Helper()
	n := 0
	for _, w := range r.all() {
		if w["green"] > 0 {
			n++
		}
	}
	return n
}

// version returns the version of an attribute such as rejected, empty where it is null.
func (r *rig) version(attribute string) string {
	r.t.Helper()
	value, _ := r.Switch()[attribute].(map[string]any)
	if value == nil {
		return ""
	}
	return fmt.Sprintf("%v %v", value["environment"], value["version"])
}

// is checks an attribute such as rejected.
func (r *rig) is(attribute, version, out string) {
	r.t.Helper()
	if got := r.version(attribute); got != version {
		v := notConverged
		switch {
		case attribute == "rejected" && version == "":
			v = goodRejected
		case attribute == "rejected":
			v = badRemains // it would ship again
		}
		r.violatef(v, "%s is %q, it should be %q\n%s", attribute, got, version, out)
	}
}

// settled checks that no route has a record, and that the plan is empty.
func (r *rig) settled(out string) {
	r.t.Helper()
	for _, arn := range r.arns {
		if tags := r.Balancer.Tags(arn); len(tags) > 0 {
			r.t.Errorf("%s still has the tags %v\n%s", arn, tags, out)
		}
	}
	if plan := r.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(plan, "No changes") {
		r.t.Errorf("the plan is not empty:\n%s\nafter\n%s", plan, out)
	}
}

// apply applies, whatever the outcome, and checks that what it claims is true.
func (r *rig) apply() (string, bool) {
	r.t.Helper()
	out, ok := r.Start(e2e.Unlocked).Wait()
	if !ok {
		r.truthful(out)
	}
	return out, ok
}

// must applies, which has to succeed.
func (r *rig) must() string {
	r.t.Helper()
	out, ok := r.apply()
	if !ok {
		r.t.Errorf("apply failed:\n%s", e2e.ErrorsIn(out))
	}
	return out
}

// fails applies, which has to fail.
func (r *rig) fails() string {
	r.t.Helper()
	out, ok := r.apply()
	if ok {
		r.t.Errorf("apply succeeded:\n%s", out)
	}
	return e2e.ErrorsIn(out)
}

var (
	share      = regexp.MustCompile(`(\w+) (\d+) %`)
	nameActive = regexp.MustCompile(`[Ss]et active = "(\w+)"`)
)

// truthful compares the weights that an error claims with those of the load balancer, and
// looks for errors of the provider itself.
func (r *rig) truthful(out string) {
	r.t.Helper()
	for _, bad := range []string{"panic", "inconsistent result", "Plugin did not respond", "unexpected new value", "Request cancelled"} {
		if strings.Contains(out, bad) {
			r.violatef(untrue, "the output has %q:\n%s", bad, out)
		}
	}
	errors := e2e.ErrorsIn(out)
	_, text, found := strings.Cut(errors, "Traffic: ")
	if !found || strings.HasPrefix(text, "could not be read") || strings.HasPrefix(text, "when last read") || strings.HasPrefix(text, "not read") {
		return
	}
	if strings.HasPrefix(text, "web,") {
		return // a line per route
	}
	text, _, _ = strings.Cut(text, ". ")
	claimed := map[string]int{}
	for _, m := range share.FindAllStringSubmatch(text, -1) {
		_, _ = fmt.Sscan(m[2], new(int))
		n := 0
		_, _ = fmt.Sscan(m[2], &n)
		claimed[m[1]] = n
	}
	for i, w := range r.all() {
		if len(claimed) > 0 && w != nil && !maps.Equal(w, claimed) {
			r.violatef(untrue, "route %d has %v, but the error claims %v:\n%s", i, w, claimed, errors)
		}
	}
}

// follow does the edit that an error suggests, which has to work.
func (r *rig) follow(errors string) {
	r.t.Helper()
	m := nameActive.FindStringSubmatch(errors)
	again := strings.Contains(errors, "apply again") || strings.Contains(errors, "plan again") || atOnce.MatchString(errors)
	switch {
	case m != nil:
		r.MustConfigure(m[1])
	case !again:
		r.t.Errorf("it does not say what to do:\n%s", errors)
		return
	}
	out := r.must()
	if m != nil {
		r.on(m[1], "followed: "+errors+"\n"+out)
	}
	r.settled("followed: " + errors + "\n" + out)
}

// releases ships a new version to the environment that is idle, which has to work.
func (r *rig) releases() {
	r.t.Helper()
	r.broken.Store(false)
	live := r.sole()
	next := map[string]string{"blue": "green", "green": "blue", "red": "blue"}[live]
	if next == "" {
		r.t.Errorf("nothing has all the traffic: %v", r.all())
		return
	}
	still := r.version("rejected") // while another environment has that version
	if name, version, _ := strings.Cut(still, " "); name == next || r.Versions[name] != version {
		still = ""
	}
	r.MustDeploy(next, rehearsal.AppTerms{Version: "2.0"})
	r.MustConfigure(next)
	out := r.must()
	r.on(next, out)
	r.is("rejected", still, out)
	r.settled(out)
}

// reachedStep matches a record whose routes were read back at 5 %.
var reachedStep = regexp.MustCompile(`reached=50\b`)

// hold starts the release in a long hold, and returns when green has 5 %.
func (r *rig) hold(pace rehearsal.Pace) *e2e.Apply {
	r.t.Helper()
	r.Pace = pace
	r.MustConfigure("green")
	apply := r.Start(e2e.Unlocked)
	r.Eventually("green has 5 % on every route", func() bool {
		return !slices.ContainsFunc(r.all(), func(w map[string]int) bool { return w["green"] != 5 })
	})
	r.Pace = quick
	r.Eventually("the record says 5 %", func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(r.Balancer.Tags(r.arns[0]))), reachedStep.MatchString)
	})
	return apply
}

// nthWrite matches every write of a route or its tags.
func nthWrite(call localaws.Call) bool { return e2e.IsWrite(call) }
