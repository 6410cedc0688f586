//go:build linux

package records

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// In a hold, the answers have the shares of the weights. If somebody else changes the weights, the shift stops at once
// and leaves them.
func TestRecords_changedInAHold(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	var held atomic.Bool
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { held.Store(true) }))
	t.Cleanup(gate.Close)
	r.Config.Steps = `[{ percent = 5, hold = "10h" }]`
	r.Config.Gates = answers(gate.URL)
	r.MustActivate("green")
	apply := r.Start()
	r.Eventually("the gate is evaluated in the hold", held.Load) // the weights were verified before that
	for _, kind := range []string{"A", "AAAA"} {
		if got := r.Answers(t, 200, kind); got["blue"] != 190 || got["green"] != 10 {
			t.Errorf("%s: %v of 200 answers at 5 %%", kind, got)
		}
	}
	r.Upsert("app.example.com", map[string]int64{"blue": 60, "green": 40})
	mark := r.Mark()
	out, ok := apply.Wait()
	if ok {
		t.Errorf("the apply succeeded:\n%s", out)
	}
	golden.Check(t, e2e.ErrorsIn(out), golden.Replace(r.Zone, "<zone>"))
	if n := len(r.Batches(mark)); n > 0 {
		t.Errorf("the provider sent %d batches after somebody else changed the weights", n)
	}
	if r.Weight("A", "green") != 40 || r.Weight("AAAA", "blue") != 60 {
		t.Errorf("A %v, AAAA %v", r.RecordWeights("app.example.com", "A"), r.RecordWeights("app.example.com", "AAAA"))
	}
}

// Somebody returns all traffic in a hold of ten hours: the shift stops at once, sends no batch, and rejects the version.
func TestRecords_rolledBackInAHold(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	r.Config.Steps = `[{ percent = 5, hold = "10h" }]`
	r.MustActivate("green")
	apply := r.Start()
	inHold(r, 5)
	r.Upsert("app.example.com", map[string]int64{"blue": 100, "green": 0})
	mark := r.Mark()
	out, ok := apply.Wait()
	if ok {
		t.Errorf("the apply succeeded:\n%s", out)
	}
	golden.Check(t, e2e.ErrorsIn(out), golden.Replace(r.Zone, "<zone>"))
	if n := len(r.Batches(mark)); n > 0 {
		t.Errorf("the provider sent %d batches after the rollback of somebody else", n)
	}
	r.MustHaveAllAnswers("blue")
	if r.Switch()["rejected"] == nil {
		t.Error("the version is not rejected")
	}
}

// answers is a gate that requests a URL.
func answers(url string) string {
	return `
  gate {
    name     = "users"
    interval = "200ms"
    http {
      url = "` + url + `"
    }
  }
`
}

// users is a gate that fails after the first bad response of a version that breaks under real traffic.
type users struct {
	*httptest.Server
	mu     sync.Mutex
	failed time.Time // of the first evaluation that fails
}

func newUsers(t *testing.T, load *rehearsal.Load) *users {
	t.Helper()
	u := &users{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if load.Counts().FirstBad.IsZero() {
			_, _ = io.WriteString(w, "ok")
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.failed.IsZero() {
			u.failed = time.Now()
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(u.Close)
	return u
}

// A gate fails under load: the last user of the bad version gets it within the propagation and the TTL.
func TestRecords_rollsBackWithinTheTTL(t *testing.T) {
	t.Parallel()
	const propagation = 500 * time.Millisecond
	r := e2e.NewRecords(t, localaws.WithRecordPropagation(propagation))
	r.MustDeployStack("green", rehearsal.AppTerms{Version: "3", BreaksAfter: 5})
	r.MustAdopt()
	load := r.LoadNames()
	gate := newUsers(t, load)
	r.Config.Steps = `[{ percent = 50, hold = "10h" }]`
	r.Config.Gates = answers(gate.URL)
	r.MustActivate("green")
	mark := r.Mark()
	out := r.MustFail()
	if !strings.Contains(out, "rolled back") {
		t.Errorf("the apply did not roll back:\n%s", out)
	}
	r.MustHaveAllAnswers("blue")
	if r.Pending() > 0 {
		t.Error("the apply ended before the rollback was INSYNC")
	}
	if n := len(r.Batches(mark)); n != 2 {
		t.Errorf("%d batches for a step and its rollback", n)
	}
	r.MoreNames(load, 400)
	counts := r.LostNoName(load)
	gate.mu.Lock()
	defer gate.mu.Unlock()
	took, limit := counts.LastBad.Sub(gate.failed), e2e.RecordsTTL+propagation
	t.Logf("from the failing gate to the last user: %s (TTL %s, propagation %s), %d bad responses, caches: %t", took, e2e.RecordsTTL, propagation, counts.Bad["3"], r.Caches)
	if counts.Bad["3"] == 0 || gate.failed.IsZero() {
		t.Fatalf("the gate did not fail: %+v", counts)
	}
	if slow.Exceeds(took-limit, time.Second) {
		t.Errorf("the last user got the bad version %s after the gate failed", took)
	}
}
