package chance

import (
	"slices"
	"testing"
)

// repeated returns periods with the same counts.
func repeated(n, total, bad int) Counted {
	return countsOf(total, slices.Repeat([]int{bad}, n)...)
}

func TestEvidence_designEffect(t *testing.T) {
	t.Parallel()
	steady, stumbling := repeated(60, 30_000, 60), countsOf(30_000, 60, 60, 1500, 60, 60, 60, 60, 60, 1500, 60, 60, 60, 60, 60, 60, 60)
	steadyNow := Evidence{Incoming: repeated(5, 1500, 3), Live: repeated(5, 28_500, 57), History: steady}
	stumblingNow := Evidence{Incoming: countsOf(1500, 3, 3, 75, 3, 3), Live: countsOf(28_500, 57, 57, 1425, 57, 57), History: stumbling}
	onlyIncoming := Evidence{Incoming: countsOf(1500, 3, 3, 75, 3, 3), Live: repeated(5, 28_500, 57), History: steady}
	slow := onlyIncoming
	slow.MustPersist = true
	early := stumblingNow
	early.Incoming, early.Live = repeated(1, 1500, 75), repeated(1, 28_500, 1425)
	unknown := Evidence{Incoming: repeated(1, 1500, 75)}
	for _, c := range []struct {
		name                   string
		evidence               Evidence
		alone, beside, atLeast float64 // 0: at least that of atLeast
	}{
		{"steady", steadyNow, 1, 1, 0},
		{"both stumble", stumblingNow, 0, 1, 10},
		{"both stumble, first period", early, 0, 0, 100},
		{"only incoming has a bad period", onlyIncoming, 1, 1, 0},
		{"only incoming has a slow period", slow, 0, 0, 10},
		{"nothing to estimate from", unknown, assumedDesignEffect, assumedDesignEffect, 0},
	} {
		for name, got := range map[string][2]float64{"alone": {c.evidence.effectAlone(), c.alone}, "beside": {c.evidence.effectBeside(), c.beside}} {
			if got[1] == 0 && got[0] < c.atLeast || got[1] > 0 && got[0] != got[1] {
				t.Errorf("%s, %s: got %.4g, want %.4g or at least %.4g", c.name, name, got[0], got[1], c.atLeast)
			}
		}
	}
}

func TestEvidence_isConcurrent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		incoming, live int
		want           bool
	}{{1500, 28_500, true}, {1500, 49, false}, {30_000, 299, false}, {30_000, 300, true}} {
		e := Evidence{Incoming: Counted{Sum: Share{0, c.incoming}}, Live: Counted{Sum: Share{0, c.live}}}
		if got := e.IsConcurrent(50); got != c.want {
			t.Errorf("%d and %d: got %t", c.incoming, c.live, got)
		}
	}
}

// A release passes if it is within any of the tolerances.
func TestEvidence_outside(t *testing.T) {
	t.Parallel()
	e := Evidence{Incoming: Counted{Sum: Share{60, 1000}}}
	live := Share{200, 10_000}
	margin, factor := e.outside(live, 1, Tolerance{1, 0.01}), e.outside(live, 1, Tolerance{2, 0})
	both := e.outside(live, 1, Tolerance{1, 0.01}, Tolerance{2, 0})
	if margin.P >= factor.P || both.P != factor.P {
		t.Errorf("got %v, %v and %v", margin, factor, both)
	}
	if runs := e.outside(live, 4, Tolerance{1, 0.01}); runs.P <= margin.P || runs.DesignEffect != 4 {
		t.Errorf("got %v with runs of 4, %v without", runs, margin)
	}
}

// In traffic that stumbles, the ranks find a release that is always worse than usual, and
// the sums one whose last period is far worse than any. Without a history to rank, the
// sums do not pay for the choice.
func TestEvidence_outsideOfHistory(t *testing.T) {
	t.Parallel()
	var minutes []int
	for i := range 60 {
		minutes = append(minutes, 60+1500*((i+1)%8/7))
	}
	history := countsOf(30_000, minutes...)
	same := Tolerance{Factor: SameVersionFactor}
	good := Evidence{Incoming: countsOf(30_000, 60, 60, 1560, 60, 60, 60, 1560, 60), History: history}
	always := Evidence{Incoming: repeated(8, 30_000, 660), History: history}
	breaks := Evidence{Incoming: countsOf(30_000, 60, 60, 60, 60, 60, 60, 60, 30_000), History: history}
	for _, c := range []struct {
		name        string
		evidence    Evidence
		least, most float64
	}{
		{"good", good, 0.1, 1},
		{"always worse", always, 0, 0.001},
		{"breaks in the last minute", breaks, 0, 0.001},
	} {
		if got := c.evidence.OutsideOfHistory(same); got.P < c.least || got.P > c.most {
			t.Errorf("%s: got %+v, want a p-value from %g to %g", c.name, got, c.least, c.most)
		}
	}
	short := Evidence{Incoming: repeated(3, 1000, 9), History: repeated(5, 1000, 2)}
	if got, want := short.OutsideOfHistory(same), short.outside(short.History.Sum, 1, same); got != want {
		t.Errorf("got %+v with a short history, want %+v", got, want)
	}
}

func TestEvidence_allBad(t *testing.T) {
	t.Parallel()
	e := Evidence{Incoming: repeated(1, 60, 3)}
	if e.AllBad().AboveLimit(0.5).P <= 0.01 || e.AllBad().AboveLimit(0.01).P > 0.01 || e.Incoming.Sum.Bad != 3 {
		t.Error("6 errors out of 6 that count as independent are not likely at 1 %, and not unlikely at 50 %")
	}
}
