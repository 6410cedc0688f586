package provider_test

import (
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// twice is a configuration with two switches.
func (s *site) twice(first, second hcl) string {
	return settings(s.bench, first.aws) + first.before + first.resource("web") + second.resource("api")
}

// The provider does not know the addresses: Terraform adds one, the message says what the other switch is.
func TestSwitch_planRefusesOneRouteInTwoSwitches(t *testing.T) {
	t.Parallel()
	counted := func(s *site) string {
		h := s.release("blue")
		h.rest = "count = 2"
		return h.in(s.bench)
	}
	unknownRoutes := func(s *site) string {
		h := s.release("blue")
		h.before = fmt.Sprintf("\nresource \"terraform_data\" \"listener\" {\n  input = %q\n}\n", s.listener)
		h.routes = "routes = { web = [terraform_data.listener.output] }"
		return s.twice(h, h)
	}
	for name, config := range map[string]func(s *site) string{
		"count": counted,
		"two resources": func(s *site) string {
			other := s.release("blue")
			other.traffic = "weights = { blue = 90, green = 10 }"
			return s.twice(other, other)
		},
		"two routes": func(s *site) string {
			rule := s.rule(s.listener, "/api/*", 1, forward(weights{s.blue.group: 100}))
			h := s.release("blue")
			h.routes = fmt.Sprintf("routes = { web = [%q, %q] }", rule, s.listener)
			return s.twice(h, h)
		},
		"known after apply": unknownRoutes,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := newSite(t), newWorkspace(t)
			w.write(config(s))
			if name == "known after apply" {
				w.plan().ok()
				r := w.apply()
				r.failsAs("error")
				if len(r.errors) != 1 {
					t.Errorf("%d errors", len(r.errors))
				}
				return
			}
			s.unwritten(func() { w.plan().failsAs("error") })
		})
	}
}

func TestSwitch_countWithOneRoute(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.release("blue")
	h.rest = "count = 2"
	other := s.listen(forward(weights{s.blue.group: 100}))
	apart := h
	apart.routes = fmt.Sprintf("routes = { web = [[%q, %q][count.index]] }", s.listener, other)
	unitTest(t,
		resource.TestStep{Config: h.in(s.bench), ExpectError: regexp.MustCompile(`Another switch of this\s+configuration has the same\s+route`)},
		resource.TestStep{Config: apart.in(s.bench)},
		resource.TestStep{Config: apart.in(s.bench), ConfigPlanChecks: unchanged},
		resource.TestStep{Config: h.in(s.bench), ExpectError: regexp.MustCompile(`Another switch of this\s+configuration has the same\s+route`)},
	)
}

// A switch that Terraform plans twice, in one process or in two, is one switch.
func TestSwitch_plannedTwiceIsOneSwitch(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	config := s.release("blue").in(s.bench)
	w.write(config)
	w.plan().ok()
	w.plan().ok()
	w.applyPlan().ok()
	for range 2 {
		w.terraform("apply", "-json", "-auto-approve", "-input=false", "-replace="+address).ok()
	}
	w.must(w.prepare("taint", address).Run())
	w.apply().ok()
	w.write(strings.Replace(config, "settle = \"0s\"", "settle = \"1s\"\n", 1) + "")
	w.terraform("apply", "-json", "-auto-approve", "-input=false", "-replace="+address).ok()
	s.want("app-blue 100, app-green 0")

	// Another switch is none the less, also while the first one is replaced.
	h := s.release("blue")
	w.write(s.twice(h, h))
	if r := w.plan("-replace=" + address); len(r.errors) != 1 || !strings.Contains(r.text(), "Another switch") {
		t.Errorf("the errors are %s", r.text())
	}
}

// Without a moved block the switch at the old address is destroyed, which moves no traffic.
func TestSwitch_takesOverRoutesOfADestroyedSwitch(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	h := s.release("blue")
	w.write(h.in(s.bench))
	w.apply().ok()
	w.write(settings(s.bench, "") + h.resource("site"))
	w.apply().ok()
	s.want("app-blue 100, app-green 0")
	w.write(settings(s.bench, "") + h.resource("web") + "\nmoved {\n  from = bluegreen_switch.site\n  to = bluegreen_switch.web\n}\n")
	w.apply().ok()

	// Two switches that exchange their routes.
	other := s.listen(forward(weights{s.blue.group: 100}))
	api := h
	api.routes = fmt.Sprintf("routes = { web = [%q] }", other)
	w.write(s.twice(h, api))
	w.apply().ok()
	w.write(s.twice(api, h))
	w.plan().ok()
}

func TestSwitch_planRefusesWhatIsElsewhere(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *hcl){
		"region":    func(h *hcl) { h.environments = strings.Replace(h.environments, "eu-west-1", "us-east-1", 1) },
		"account":   func(h *hcl) { h.environments = strings.Replace(h.environments, "123456789012", "210987654321", 1) },
		"partition": func(h *hcl) { h.environments = strings.Replace(h.environments, "arn:aws:", "arn:aws-cn:", 1) },
		"route_of_another_partition": func(h *hcl) {
			h.routes = fmt.Sprintf("routes = { web = [%q, %q] }", listenerARN, strings.Replace(ruleARN, "arn:aws:", "arn:aws-us-gov:", 1))
		},
		"second_route_of_another_region": func(h *hcl) {
			h.routes = fmt.Sprintf("routes = { web = [%q, %q] }", listenerARN, strings.Replace(listenerARN, "eu-west-1", "eu-west-3", 1))
			h.environments = environment("green", "1.1", groupARN("green"))
		},
		"one_environment_unknown": func(h *hcl) {
			h.before = unknown("1")
			h.environments = environment("blue", "1.0", strings.Replace(groupARN("blue"), "eu-west-1", "us-east-1", 1)) +
				"\n green = { version = \"1\", target_groups = { web = " + unknownValue + " } }"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := newBench(t), newWorkspace(t)
			h := good()
			change(&h)
			w.write(h.in(b))
			before := b.called()
			w.plan().failsAs("error")
			if n := b.called() - before; n != 0 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// Each entry point may be in a region of its own.
func TestSwitch_entryPointsOfTwoRegions(t *testing.T) {
	t.Parallel()
	b, w := newBench(t), newWorkspace(t)
	there := func(arn string) string { return strings.Replace(arn, "eu-west-1", "us-east-1", 1) }
	h := good()
	h.routes = fmt.Sprintf("routes = { web = [%q], api = [%q] }", listenerARN, there(listenerARN))
	h.environments = ""
	for _, name := range []string{"blue", "green"} {
		h.environments += fmt.Sprintf("\n    %q = { target_groups = { web = %q, api = %q } }", name, groupARN(name), there(groupARN(name)))
	}
	w.write(h.in(b))
	w.plan().ok()
}

// secondServer answers STS with the account of its own.
func secondServer(t *testing.T, account string) *localaws.Server {
	t.Helper()
	srv, err := localaws.Start(localaws.WithAccount(account), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

// stsEndpoint is the line of the provider block with the endpoint of STS.
var stsEndpoint = regexp.MustCompile(`\bsts( +)= "[^"]*"`)

// withSTS returns a configuration with another endpoint of STS.
func withSTS(t *testing.T, config, url string) string {
	t.Helper()
	if !stsEndpoint.MatchString(config) {
		t.Fatal("the configuration has no endpoint of STS")
	}
	return stsEndpoint.ReplaceAllString(config, fmt.Sprintf("sts${1}= %q", url))
}

// The account is read once in a plan, for all switches, and only where a list restricts it.
func TestSwitch_planChecksTheAccountOfACreate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.listen(forward(weights{s.blue.group: 100}))
	h, api := s.release("blue"), s.release("blue")
	api.routes = fmt.Sprintf("routes = { web = [%q] }", other)
	for name, c := range map[string]struct {
		account string
		allowed string
		calls   int
	}{
		"other":   {"999999999999", `allowed_account_ids = ["123456789012"]`, 1},
		"allowed": {"123456789012", `allowed_account_ids = ["123456789012", "111111111111"]`, 1},
		"no_list": {"999999999999", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, sts := newWorkspace(t), secondServer(t, c.account)
			h := h
			h.aws = c.allowed
			config := withSTS(t, s.twice(h, api), sts.URL())
			w.write(config)
			if r := w.plan(); name == "other" {
				wantErrorsOf(t, r, []string{"bluegreen_switch.api", "bluegreen_switch.web"})
			} else {
				r.ok()
			}
			if n := len(sts.Calls()); n != c.calls {
				t.Errorf("%d calls of STS, want %d", n, c.calls)
			}
		})
	}
}

// A plan works where the account cannot be read, as it did before.
func TestSwitch_planWithoutCredentialsOrSTS(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{
		"STS does not answer": settingsKeys + "\n allowed_account_ids = [\"123456789012\"]",
		"no credentials":      "allowed_account_ids = [\"123456789012\"]",
		"unknown settings":    "access_key = " + unknownValue + "\n secret_key = " + unknownValue + "\n allowed_account_ids = [\"123456789012\"]",
		"an unknown list":     settingsKeys + "\n allowed_account_ids = [" + unknownValue + "]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, w := newBench(t), newWorkspace(t)
			config := good().in(b) + unknown("1")
			config = strings.Replace(config, settingsKeys, keys, 1)
			if name == "STS does not answer" {
				config = withSTS(t, config, "http://127.0.0.1:1")
			}
			w.write(config)
			w.plan().ok()
		})
	}
}

// An Update makes the call in its apply, as before, and writes nothing.
func TestSwitch_applyChecksTheAccountOfAnUpdate(t *testing.T) {
	t.Parallel()
	s, w, sts := newSite(t), newWorkspace(t), secondServer(t, "999999999999")
	s.blueIsLive(w)
	h := s.release("green")
	h.aws = `allowed_account_ids = ["123456789012"]`
	w.write(withSTS(t, h.in(s.bench), sts.URL()))
	s.unwritten(func() {
		w.plan().ok()
		if n := len(sts.Calls()); n != 0 {
			t.Errorf("the plan made %d calls of STS", n)
		}
		w.apply().failsAs("error")
	})
}
