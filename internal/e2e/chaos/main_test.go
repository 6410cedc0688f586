//go:build linux

// Package chaos kills applies, breaks the API and changes the traffic in mid-shift, in many
// combinations, and checks what users, the state and the next plan have afterwards. All
// combinations take hours, so a run takes a sample of them: see make chaos.
package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

var (
	sample = flag.String("cases", "0", "how many cases to run, or all")
	seed   = flag.Uint64("seed", 1, "chooses the cases")
	page   = flag.String("page", "", "file whose table is replaced by that of this run; empty: none")
)

func TestMain(m *testing.M) {
	// Under nohup this process ignores SIGHUP, and so would the processes that it starts.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	e2e.Main(m)
}

// adder adds a case to a kind.
type adder func(name string, run func(t *testing.T))

// kind is cases of one kind.
type kind struct {
	name  string // in the table
	cases func(add adder)
	// weight is how many cases a sample has of this kind, relative to the others.
	weight int
}

func kinds() []kind {
	return []kind{
		{"signal at a write", signaledAtWrite, 8},
		{"signal in a wait", signaledInWait, 8},
		{"signal in the rollback", signaledInRollback, 5},
		{"signal in a drain", signaledInDrain, 3},
		{"kill at a call, then an edit", killedAtWrite, 4},
		{"kill in a wait, then an edit", killedInWait, 2},
		{"kill in the rollback, then an edit", killedInRollback, 2},
		{"route deleted after a kill", deletedAfterKill, 1},
		{"kill of the apply that rolls a shift back", killedReturning, 1},
		{"API fault in a refresh", faultInRefresh, 2},
		{"API fault at a step", faultAtStep, 2},
		{"API fault in a hold", faultInHold, 3},
		{"API fault in a rollback", faultInRollback, 3},
		{"API fault in a drain", faultInDrain, 2},
		{"API fault longer than rollback_timeout", faultOutlastsRollback, 2},
		{"stale reads", staleForLonger, 1},
		{"change by others in a hold", handInHold, 4},
		{"targets change in a hold", targetsInHold, 2},
		{"change by others after a kill", handAfterKill, 2},
		{"change by others between applies", handBetween, 2},
		{"two writers", twoWriters, 2},
		{"frozen past its lease", frozen, 1},
		{"Lambda, Route 53: kill at a write, then an edit", siteKilledAtWrite, 2},
		{"Lambda, Route 53: kill beside the guardian", siteKilledBesideGuardian, 1},
		{"Lambda, Route 53: API fault in a hold", siteFaultInHold, 3},
		{"Lambda, Route 53: API fault in a rollback", siteFaultInRollback, 3},
		{"Lambda, Route 53: change by others in a hold", siteHandInHold, 1},
	}
}

// testCase is one case.
type testCase struct {
	kind, name string
	run        func(t *testing.T)
}

// all returns every case of a kind.
func (k kind) all() []testCase {
	var all []testCase
	k.cases(func(name string, run func(t *testing.T)) { all = append(all, testCase{k.name, name, run}) })
	return all
}

// chosen returns the cases of a sample: each kind has its part, and the seed chooses.
func chosen(n int, seed uint64) []testCase {
	random := rand.New(rand.NewPCG(seed, 0))
	var chosen, rest []testCase
	sum := 0
	for _, k := range kinds() {
		sum += k.weight
	}
	for _, k := range kinds() {
		all := k.all()
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		take := min((n*k.weight+sum-1)/sum, len(all))
		chosen, rest = append(chosen, all[:take]...), append(rest, all[take:]...)
	}
	random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	if len(chosen) < n {
		chosen = append(chosen, rest[:min(n-len(chosen), len(rest))]...)
	}
	// Kinds that wait run beside kinds that work.
	random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:min(n, len(chosen))]
}

func TestChaos(t *testing.T) {
	if *sample == "0" {
		t.Skip("SKIPPED: run make chaos, or pass -cases")
	}
	n, err := strconv.Atoi(*sample)
	if *sample == "all" {
		n, err = 1<<30, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	cases := chosen(n, *seed)
	t.Cleanup(func() { // when all parallel cases have ended
		text := results.table()
		t.Logf("seed %d\n%s", *seed, text)
		if *page != "" {
			if err := writeTable(*page, fmt.Sprintf("%d cases, seed %d\n\n", results.runs(), *seed)+text); err != nil {
				t.Error(err)
			}
		}
	})
	for _, c := range cases {
		t.Run(c.kind+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { results.end(t, c) })
			c.run(t)
		})
	}
}
