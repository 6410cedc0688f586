//go:build linux

package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// site is a switch of another router than a load balancer, under load. Blue is live, and green is about to be released.
type site struct {
	*e2e.World
	t      *testing.T
	broken *atomic.Bool // the gate fails
	failed *atomic.Bool // it has

	// configure writes the configuration: the active environment and the steps.
	configure func(active, steps string)
	// shares returns percent of the traffic by environment, without those that have none.
	shares func() map[string]int
	// change is what somebody else writes: percent of the traffic by environment.
	change func(shares map[string]int)
	// touch is what somebody else writes beside the weights.
	touch   func()
	isWrite func(localaws.Call) bool
	// synced reports whether what was written has taken effect.
	synced   func() bool
	lostNone func()
}

// router is a router whose releases are tested like that.
type router struct {
	name    string
	actions []string // of its API
	open    func(t *testing.T, gates string) *site
}

func routers() []router {
	return []router{
		{"Lambda", []string{"UpdateAlias", "GetAlias", "GetFunctionConfiguration"}, functionSite},
		{"Route 53", []string{"ChangeResourceRecordSets", "ListResourceRecordSets", "GetChange"}, recordSite},
	}
}

// Steps of a release: quick ones, and one in which it stays.
const (
	quickSteps = `[{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`
	longStep   = `[{ percent = 5, hold = "3s" }]`
	stays      = `[{ percent = 5, hold = "10h" }]`
)

func (x router) site(t *testing.T) *site {
	t.Helper()
	broken, failed := &atomic.Bool{}, &atomic.Bool{}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusTeapot)
			failed.Store(true)
		}
	}))
	t.Cleanup(gate.Close)
	s := x.open(t, fmt.Sprintf(`
  gate {
    name     = "alarm"
    interval = "100ms"
    http {
      url           = %q
      expect_status = [200]
    }
  }
`, gate.URL))
	s.t, s.broken, s.failed = t, broken, failed
	return s
}

func functionSite(t *testing.T, gates string) *site {
	t.Helper()
	f := e2e.NewFunctions(t)
	f.Config.Gates = gates
	load := f.Invoke()
	names := map[string]string{"1": "blue", "2": "green", "3": "red"}
	return &site{
		World: f.World,
		configure: func(active, steps string) {
			f.Config.Steps = steps
			f.MustActivate(active)
		},
		shares: func() map[string]int {
			shares := map[string]int{}
			for version, share := range f.Shares() {
				if percent := int(share*100 + 0.5); percent > 0 {
					shares[names[version]] = percent
				}
			}
			return shares
		},
		change: func(shares map[string]int) {
			version, other, share := "", "", 0.0
			for _, v := range []string{"1", "2", "3"} {
				switch percent := shares[names[v]]; {
				case percent > 0 && version == "":
					version = v
				case percent > 0:
					other, share = v, float64(percent)/100
				}
			}
			f.Update(version, other, share)
		},
		touch:    func() { f.Describe("somebody else") },
		isWrite:  e2e.IsUpdate,
		synced:   func() bool { return true },
		lostNone: func() { t.Helper(); load.LostNone(t) },
	}
}

func recordSite(t *testing.T, gates string) *site {
	t.Helper()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	r.Config.Gates = gates
	load := r.LoadNames()
	return &site{
		World: r.World,
		configure: func(active, steps string) {
			r.Config.Steps = steps
			r.MustActivate(active)
		},
		shares: func() map[string]int {
			a, aaaa := percents(r.RecordWeights("app.example.com", "A")), percents(r.RecordWeights("app.example.com", "AAAA"))
			if fmt.Sprint(a) != fmt.Sprint(aaaa) {
				return map[string]int{"A and AAAA differ": 100}
			}
			return a
		},
		change: func(shares map[string]int) {
			r.Upsert("app.example.com", map[string]int64{"blue": int64(shares["blue"]), "green": int64(shares["green"])})
		},
		touch:    func() { r.AddName("other.example.com") },
		isWrite:  e2e.IsBatch,
		synced:   func() bool { return r.Pending() == 0 },
		lostNone: func() { t.Helper(); r.LostNoName(load) },
	}
}

// percents returns percent of the traffic, without environments that have none.
func percents(weights map[string]int) map[string]int {
	sum, shares := 0, map[string]int{}
	for _, n := range weights {
		sum += n
	}
	for name, n := range weights {
		if n > 0 {
			shares[name] = (n*100 + sum/2) / sum
		}
	}
	return shares
}

// on checks that an environment has all the traffic.
func (s *site) on(name, out string) {
	s.t.Helper()
	if got := s.shares(); got[name] != 100 {
		v := notConverged
		if s.broken.Load() && got["green"] > 0 {
			v = badRemains
		}
		results.add(s.t, v)
		s.t.Errorf("users are on %v, not on %s\n%s", got, name, out)
	}
}

// isRejected checks whether a version is rejected.
func (s *site) isRejected(want bool, out string) {
	s.t.Helper()
	rejected := s.Switch()["rejected"]
	if (rejected != nil) == want {
		return
	}
	v := goodRejected
	if want {
		v = badRemains // it would ship again
	}
	results.add(s.t, v)
	s.t.Errorf("rejected is %v\n%s", rejected, out)
}

// settled checks that the plan is empty, and that no request was lost.
func (s *site) settled(out string) {
	s.t.Helper()
	if plan := s.MustRun("plan", "-no-color", e2e.Unlocked); !strings.Contains(plan, "No changes") {
		s.t.Errorf("the plan is not empty:\n%s\nafter\n%s", plan, out)
	}
	s.lostNone()
}

// apply applies, whatever the outcome, and looks for errors of the provider itself.
func (s *site) apply() (string, bool) {
	s.t.Helper()
	out, ok := s.Start(e2e.Unlocked).Wait()
	s.sound(out)
	return out, ok
}

func (s *site) sound(out string) {
	s.t.Helper()
	for _, bad := range []string{"panic", "inconsistent result", "Plugin did not respond", "unexpected new value", "Request cancelled"} {
		if strings.Contains(out, bad) {
			results.add(s.t, untrue)
			s.t.Errorf("the output has %q:\n%s", bad, out)
		}
	}
}

// releases applies green, which has to succeed.
func (s *site) releases(before string) {
	s.t.Helper()
	s.broken.Store(false)
	s.configure("green", quickSteps)
	out, ok := s.apply()
	if !ok {
		s.t.Errorf("apply failed:\n%s\nafter\n%s", e2e.ErrorsIn(out), before)
	}
	s.on("green", before+out)
	s.isRejected(false, before+out)
	s.settled(before + out)
}

// held starts the release and returns when green has 5 %.
func (s *site) held(steps string) *e2e.Apply {
	s.t.Helper()
	s.configure("green", steps)
	apply := s.Start(e2e.Unlocked)
	s.Eventually("green has 5 %", func() bool { return s.shares()["green"] == 5 && s.synced() })
	return apply
}
