package shift

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// fact is a column of the table in the golden file, and how to set it.
type fact struct {
	name string
	set  func(f *facts, holds bool)
}

// allFacts are the facts. In this order, the table has the fewest rows.
func allFacts() []fact {
	flag := func(name string, field func(f *facts) *bool) fact {
		return fact{name, func(f *facts, holds bool) { *field(f) = holds }}
	}
	return []fact{
		flag("nothing desired", func(f *facts) *bool { return &f.nothingDesired }),
		{"other switch", func(f *facts, holds bool) {
			f.otherSwitch = ""
			if holds {
				f.otherSwitch = "shift s9"
			}
		}},
		flag("can roll back", func(f *facts) *bool { return &f.canRollBack }),
		flag("stable", func(f *facts) *bool { return &f.stable }),
		flag("missing", func(f *facts) *bool { return &f.missing }),
		flag("reached", func(f *facts) *bool { return &f.reached }),
		flag("retry", func(f *facts) *bool { return &f.retry }),
		flag("rejected has traffic", func(f *facts) *bool { return &f.rejectedHasTraffic }),
		flag("previous", func(f *facts) *bool { return &f.previous }),
		flag("wants rejected", func(f *facts) *bool { return &f.wantsRejected }),
		flag("ours", func(f *facts) *bool { return &f.ours }),
		flag("at from", func(f *facts) *bool { return &f.reachedFrom }),
		flag("create", func(f *facts) *bool { return &f.create }),
		flag("joins", func(f *facts) *bool { return &f.joins }),
		flag("no record", func(f *facts) *bool { return &f.noRecord }),
		flag("unobserved", func(f *facts) *bool { return &f.unobserved }),
		flag("rescued", func(f *facts) *bool { return &f.rescued }),
		flag("same goal", func(f *facts) *bool { return &f.sameGoal }),
	}
}

// canBe reports whether facts can occur together.
func (f facts) canBe() bool {
	decided := f.noRecord || f.reached || f.stable || f.joins || f.missing || f.retry || f.wantsRejected || f.rejectedHasTraffic || f.rescued || f.previous
	ofOurs := f.sameGoal || f.reachedFrom || f.canRollBack
	switch {
	case f.nothingDesired && (decided || ofOurs): // nothing else is asked
		return false
	case f.unobserved && (!f.create || f.ours || f.reached || f.missing): // nothing was read
		return false
	case ofOurs && !f.ours, f.noRecord && f.create:
		return false
	case f.create && !f.ours && (f.stable || f.joins): // there is no earlier state of a route
		return false
	case f.rescued && f.reached && !f.missing:
		return false
	}
	return !f.previous || !f.create && !f.joins && !f.wantsRejected
}

// rowsFrom returns the rows of the golden file for all facts from the i-th on. Facts that
// do not matter have a dash. It returns nil where no facts are possible.
func rowsFrom(f facts, all []fact, i int) [][]string {
	if i == len(all) {
		if !f.canBe() {
			return nil
		}
		x := f.row()
		does := x.kind.String()
		if x.rollsBackFirst {
			does = "roll back first"
		}
		return [][]string{{fmt.Sprint(x.number), does}}
	}
	no := rowsFrom(f, all, i+1)
	all[i].set(&f, true)
	yes := rowsFrom(f, all, i+1)
	switch {
	case yes == nil && no == nil:
		return nil
	case yes == nil || reflect.DeepEqual(no, yes):
		return prefixed("-", no)
	case no == nil:
		return prefixed("-", yes)
	}
	return append(prefixed("no", no), prefixed("yes", yes)...)
}

func prefixed(value string, rows [][]string) [][]string {
	var all [][]string
	for _, row := range rows {
		all = append(all, append([]string{value}, row...))
	}
	return all
}

// aligned formats rows with columns of equal width.
func aligned(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("%-*s  ", widths[i], cell)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// The golden files are the whole table: each possible combination of facts is in one row
// of facts.txt, and rows.txt has what people read.
func TestTable(t *testing.T) {
	all := allFacts()
	var header []string
	for _, x := range all {
		header = append(header, x.name)
	}
	rows := append([][]string{append(header, "row", "the apply")}, rowsFrom(facts{}, all, 0)...)
	golden.CheckPart(t, "facts", aligned(rows))

	var text strings.Builder
	for _, x := range Table() {
		fmt.Fprintf(&text, "%d. %s\n   %s\n", x.Number, x.Situation, x.Apply)
		if !slices.ContainsFunc(rows, func(row []string) bool { return row[len(row)-2] == fmt.Sprint(x.Number) }) {
			t.Errorf("no facts lead to row %d", x.Number)
		}
	}
	golden.CheckPart(t, "rows", text.String())
}
