//go:build linux

package chaos

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// violation is a promise that a case has shown to be broken.
type violation string

// The violations, by column of the table.
const (
	lost         violation = "requests lost"
	badRemains   violation = "bad version remains"
	goodRejected violation = "good version rejected"
	notConverged violation = "not converged"
	untrue       violation = "untrue message"
)

var columns = []violation{lost, badRemains, goodRejected, notConverged, untrue}

// tally is what the cases of a run have shown.
type tally struct {
	mu    sync.Mutex
	cases map[string]int                        // by kind
	found map[string]map[violation]int          // by kind
	by    map[testing.TB]map[violation]struct{} // by case in progress
}

var results = tally{cases: map[string]int{}, found: map[string]map[violation]int{}, by: map[testing.TB]map[violation]struct{}{}}

// add notes a violation of a case.
func (x *tally) add(t testing.TB, v violation) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.by[t] == nil {
		x.by[t] = map[violation]struct{}{}
	}
	x.by[t][v] = struct{}{}
}

// end counts a case, and prints how to repeat it if it failed.
func (x *tally) end(t *testing.T, c testCase) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cases[c.kind]++
	if !t.Failed() {
		return
	}
	found := x.by[t]
	if len(found) == 0 {
		found = map[violation]struct{}{notConverged: {}}
	}
	if x.found[c.kind] == nil {
		x.found[c.kind] = map[violation]int{}
	}
	for v := range found {
		x.found[c.kind][v]++
	}
	t.Logf("To repeat it: make chaos CASE='%s'", strings.TrimPrefix(t.Name(), "TestChaos/"))
}

func (x *tally) runs() int {
	n := 0
	for _, cases := range x.cases {
		n += cases
	}
	return n
}

// table is the results in Markdown.
func (x *tally) table() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	b.WriteString("| kind | runs |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
	total := map[violation]int{}
	for _, k := range kinds() {
		if x.cases[k.name] == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %d |", k.name, x.cases[k.name])
		for _, c := range columns {
			fmt.Fprintf(&b, " %d |", x.found[k.name][c])
			total[c] += x.found[k.name][c]
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "| all | %d |", x.runs())
	for _, c := range columns {
		fmt.Fprintf(&b, " %d |", total[c])
	}
	return b.String() + "\n"
}

// The table is between these lines of a page.
const (
	tableBegins = "<!-- make chaos: begin -->"
	tableEnds   = "<!-- make chaos: end -->"
)

func writeTable(path, text string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(old), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return errors.New(path + " has no place for the table")
	}
	return os.WriteFile(path, []byte(before+tableBegins+"\n"+text+tableEnds+after), 0o600)
}

// The sample has every kind, no case twice, and depends only on the seed.
func TestChosen(t *testing.T) {
	names := func(cases []testCase) []string {
		var all []string
		for _, c := range cases {
			all = append(all, c.kind+"/"+c.name)
		}
		return all
	}
	first, again, other := names(chosen(400, 1)), names(chosen(400, 1)), names(chosen(400, 2))
	if !slices.Equal(first, again) || slices.Equal(first, other) || len(first) != 400 {
		t.Errorf("%d cases, repeated %t, other than with another seed %t", len(first), slices.Equal(first, again), !slices.Equal(first, other))
	}
	sorted := slices.Sorted(slices.Values(first))
	if len(slices.Compact(sorted)) != 400 {
		t.Error("a case is there twice")
	}
	for _, k := range kinds() {
		if !slices.ContainsFunc(first, func(name string) bool { return strings.HasPrefix(name, k.name+"/") }) {
			t.Errorf("no case of %q", k.name)
		}
	}
}
