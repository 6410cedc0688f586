package provider_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// rejectedSite has blue live, and a rejected green 1.1.
func rejectedSite(t *testing.T) (*site, *workspace, hcl) {
	t.Helper()
	s, w := newSite(t), newWorkspace(t)
	s.blueIsLive(w)
	s.green.status.Store(http.StatusInternalServerError)
	h := s.guarded("green")
	w.write(h.in(s.bench))
	if r := w.apply(); r.err == nil || w.rejectedVersion() != "1.1" {
		t.Fatal("green is not rejected")
	}
	s.green.status.Store(http.StatusOK) // the gate would pass now
	return s, w, h
}

// The listener is deleted, and later created again: the switch stays in the state, the plan names the route, and the
// rejected version stays rejected on the new one.
func TestSwitch_recreatedListener(t *testing.T) {
	t.Parallel()
	s, w, h := rejectedSite(t)
	s.deleteListener(s.listener)
	stays := func() {
		t.Helper()
		if w.values() == nil || w.rejectedVersion() != "1.1" {
			t.Errorf("the state has %v", w.values())
		}
	}
	h.traffic = `active = "blue"`
	w.write(h.in(s.bench))
	w.plan().ok()
	w.scheduleIs("plan")
	s.unwritten(func() { w.apply().failsAs("gone") })
	stays()
	w.terraform("apply", "-refresh-only", "-json", "-auto-approve", "-input=false").ok()
	stays()

	again := s.listen(forward(weights{s.blue.group: 100}))
	h.routes = strings.Replace(h.routes, s.listener, again, 1)
	s.listener = again
	w.write(h.in(s.bench))
	w.apply().ok()
	stays()
	h.traffic = `active = "green"`
	w.write(h.in(s.bench))
	s.unwritten(func() { w.apply().failsAs("rejected") })
	stays()
	s.want("app-blue 100, app-green 0")
}

// The same within one apply, in which the new ARN becomes known.
func TestSwitch_recreatedListener_inOneApply(t *testing.T) {
	t.Parallel()
	for _, active := range []string{"green", "blue"} {
		t.Run(active, func(t *testing.T) {
			t.Parallel()
			needAWS(t)
			s, w, h := rejectedSite(t)
			old, again := s.listener, s.listen(forward(weights{s.blue.group: 100}))
			of := func(arn string) string {
				return fmt.Sprintf(`
resource "terraform_data" "listener" {
  input            = %[1]q
  triggers_replace = %[1]q
  provisioner "local-exec" {
    when    = destroy
    command = "AWS_ACCESS_KEY_ID=AKIALOCAL AWS_SECRET_ACCESS_KEY=secret aws --endpoint-url %[2]s --region us-east-1 elbv2 delete-listener --listener-arn ${self.output}"
  }
}
`, arn, s.srv.URL())
			}
			h.routes, h.before = "routes = { web = [terraform_data.listener.output] }", of(old)
			h.traffic = `active = "blue"`
			w.write(h.in(s.bench))
			w.apply().ok()
			h.traffic, h.before = fmt.Sprintf("active = %q", active), of(again)
			w.write(h.in(s.bench))
			s.listener = again
			s.unwrittenTo(again, func() {
				if r := w.apply(); active == "blue" {
					r.ok()
				} else {
					r.failsAs("error")
				}
			})
			if w.values() == nil || w.rejectedVersion() != "1.1" {
				t.Errorf("the state has %v", w.values())
			}
		})
	}
}

// unwrittenTo checks that a function moves no traffic of a listener.
func (s *site) unwrittenTo(listener string, do func()) {
	s.t.Helper()
	do()
	if got := s.routed(listener); !strings.HasPrefix(got, "app-blue 100") {
		s.t.Errorf("the listener has %s", got)
	}
}

// threeOfBlue has three routes of which blue is live.
func threeOfBlue(t *testing.T) (*threeRoutes, *workspace, []string) {
	t.Helper()
	s, w := newThreeRoutes(t), newWorkspace(t)
	all := append([]string{s.listener}, s.rules...)
	w.write(s.in(s.guarded("blue"), all...))
	w.apply().ok()
	return s, w, all
}

// rulesHave checks the traffic of both rules.
func (s *threeRoutes) rulesHave(want string) {
	s.t.Helper()
	for _, rule := range s.rules {
		if got := s.ruleRouted(rule); got != want {
			s.t.Errorf("a rule has %s, want %s", got, want)
		}
	}
}

// incomplete are answers of 200 without content.
func incomplete() map[string]faults.Fault {
	all := map[string]faults.Fault{}
	for _, action := range []string{"DescribeListeners", "DescribeRules", "DescribeTargetHealth", "DescribeTags"} {
		for _, kind := range []faults.Kind{faults.EmptyBody, faults.EmptyList} {
			for times, text := range []string{"always", "once"} {
				all[fmt.Sprintf("%s, %s, %s", action, kind, text)] = faults.Fault{Action: action, Kind: kind, Times: times}
			}
		}
	}
	return all
}

// Incomplete answers, once or always, from a refresh on: the switch stays in the state with what it knows, and
// nothing is rejected. Once the API is well, the release completes.
func TestSwitch_incompleteAnswers(t *testing.T) {
	t.Parallel()
	for name, fault := range incomplete() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, all := threeOfBlue(t)
			h := s.guarded("green")
			if fault.Times == 0 {
				h.health = "\n steady_for = \"0s\"\n timeout = \"2s\""
			}
			h.aws = "max_attempts = 1"
			w.write(s.in(h, all...))
			remove := s.srv.Inject(fault)
			r := w.apply()
			remove()
			if v := w.values(); v == nil || v["rejected"] != nil {
				t.Errorf("the state has %v", v)
			}
			if fault.Times == 1 && r.err != nil {
				t.Errorf("one incomplete answer ended the apply: %s", r.text())
			}
			w.apply().ok()
			s.want("app-blue 0, app-green 100")
			s.rulesHave("app-blue 0, app-green 100")
		})
	}
}

// Incomplete answers from a failing gate on: the rollback goes on, and ends when the API is well.
func TestSwitch_incompleteAnswersOfARollback(t *testing.T) {
	t.Parallel()
	for name, fault := range incomplete() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w, all := threeOfBlue(t)
			fault.Times *= 3 // or always
			var remove func()
			h := s.failing(func() { remove = s.srv.Inject(fault) })
			h.strategy += "\n rollback_timeout = \"10s\""
			w.write(s.in(h, all...))
			r := w.apply()
			remove()
			if r.err == nil || w.rejectedVersion() != "1.1" {
				t.Fatalf("the state has %v: %s", w.values(), r.text())
			}
			s.unwrittenTo(s.listener, func() {})
			s.rulesHave("app-blue 100, app-green 0")
		})
	}
}

// Incomplete answers do not end a drain early: the requests in flight have all of its time.
func TestEnvironment_incompleteAnswersOfADrain(t *testing.T) {
	t.Parallel()
	for _, kind := range []faults.Kind{faults.EmptyBody, faults.EmptyList} {
		for times, text := range []string{"always", "once"} {
			t.Run(fmt.Sprintf("%s, %s", kind, text), func(t *testing.T) {
				t.Parallel()
				s, w := newSite(t), newWorkspace(t)
				s.changeExternally(s.listener, forward(weights{s.blue.group: 100, s.green.group: 0}))
				green := s.greenEnv()
				green.drain = `"4s"`
				w.raises(s, green).ok()
				w.write(settings(s.bench, ""))
				w.terraform("plan", "-json", "-input=false", "-refresh=false", "-out=destroy").ok()
				defer s.srv.Inject(faults.Fault{Action: "DescribeTargetHealth", Kind: kind, Times: times})()
				began := time.Now()
				r := w.terraform("apply", "-json", "-input=false", "destroy")
				took := time.Since(began)
				if took < 4*time.Second {
					t.Errorf("the drain took %s: %s", took, r.text())
				}
				if r.err != nil && w.resources()["bluegreen_environment.green"] == nil {
					t.Errorf("the environment is not in the state: %s", r.text())
				}
			})
		}
	}
}
