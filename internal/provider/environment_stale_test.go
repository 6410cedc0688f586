package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// onGreen is a site where DescribeTargetGroups does not know that green was attached to the listener: the switch has
// attached it, and shifted all traffic to it.
func onGreen(t *testing.T) (s *site, w *workspace, both string) {
	t.Helper()
	s, w = newSite(t, localaws.WithStaleGroupBalancers()), newWorkspace(t)
	const life = "create_before_destroy = true"
	w.raises(s, s.pair(`"blue", "green"`, "blue", life)).ok()
	both = s.pair(`"blue", "green"`, "green", life)
	w.raises(s, both).ok()
	s.want("app-blue 0, app-green 100")
	return s, w, both
}

// wantRefused checks that a command was refused because of green's traffic.
func (s *site) wantRefused(w *workspace, r run) {
	s.t.Helper()
	if r.err == nil || !strings.Contains(r.text(), "sends 100 % to app-green") {
		s.t.Errorf("it was not refused for green's traffic: %s", r.text())
	}
	if w.resources()[`bluegreen_environment.app["green"]`] == nil {
		s.t.Error("green is no longer in the state")
	}
	s.want("app-green 100")
}

// Terraform destroys the switch first, in the same process.
func TestEnvironment_staleBalancers_destroyOfEverything(t *testing.T) {
	t.Parallel()
	s, w, both := onGreen(t)
	r := w.terraform("destroy", "-json", "-auto-approve", "-input=false")
	s.wantRefused(w, r)
	r.failsAs("error")
	// The switch is gone; the environment remembers its routes.
	s.wantRefused(w, w.terraform("destroy", "-json", "-auto-approve", "-input=false"))

	w.raises(s, both).ok()
	s.want("app-blue 0, app-green 100")
	w.raises(s, s.pair(`"blue"`, "blue", "create_before_destroy = true")).ok()
	s.want("app-blue 100")
	if len(w.resources()) != 2 {
		t.Errorf("left are %v", w.resources())
	}
}

// A route that does not exist has no traffic; one that cannot be read may have.
func TestEnvironment_staleBalancers_unreadableRoute(t *testing.T) {
	t.Parallel()
	s, w, _ := onGreen(t)
	w.terraform("destroy", "-json", "-auto-approve", "-input=false", "-target=bluegreen_switch.web").ok()
	w.raises(s, s.pair(`"blue", "green"`, "green", "")).ok()
	s.wantRefused(w, w.terraform("destroy", "-json", "-auto-approve", "-input=false"))
	remove := s.srv.Inject(faults.Fault{Action: "DescribeListeners", ARN: s.listener, Kind: faults.AccessDenied})
	r := w.terraform("destroy", "-json", "-auto-approve", "-input=false", "-refresh=false")
	remove()
	if r.err == nil || w.resources()[`bluegreen_environment.app["green"]`] == nil || !strings.Contains(r.text(), "DescribeListeners") {
		t.Errorf("an environment whose route cannot be read was destroyed, or another error is reported: %s", r.text())
	}
	s.deleteListener(s.listener)
	w.terraform("destroy", "-json", "-auto-approve", "-input=false").ok()
	if state := w.resources(); len(state) != 0 {
		t.Errorf("left are %v", state)
	}
}

// The plan that changes a live environment is refused by the switch, which has the weights.
func TestEnvironment_staleBalancers_changeIsRefused(t *testing.T) {
	t.Parallel()
	s, w, both := onGreen(t)
	r := w.plans(s, strings.Replace(both, `"${each.key}-1"`, `"${each.key}-2"`, 1))
	if r.err == nil || !strings.Contains(r.text(), fmt.Sprintf("Cannot change environment %q", "green")) {
		t.Errorf("it was not refused: %s", r.text())
	}
}
