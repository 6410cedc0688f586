package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// allCauses are the causes, in the order of the table.
var allCauses = []Cause{GateFailed, HealthFailed, NotHealthy, HealthUnreadable, TooFewTargets, Interrupted, GateInconclusive, GateErrored, BlockedByGate, RouterFailed,
	TimedOut, CredentialsExpire, RouteMissing, GroupMissing, ExternalChange, MovedExternally, VersionRejected, NotForwarding, TooManyGroups, HoldTooShort,
	OtherSwitch, Locked, LeaseLost, RecordFailed, RolledBackByUser}

// column is a fact, with its values and how to set it.
type column struct {
	name   string
	values []string
	set    func(f *facts, value int)
}

func flag(name string, field func(f *facts) *bool) column {
	return column{name, []string{"no", "yes"}, func(f *facts, value int) { *field(f) = value == 1 }}
}

func texts[T any](values []T) []string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// columns are all facts, in the order in which the table decides.
func columns() []column {
	steps := []progress{notRead, notStarted, started, completed}
	kinds := []shift.Kind{shift.NoChange, shift.Forward, shift.Rollback, shift.Revert, shift.Rejected, shift.ExternalChange, shift.Accept, shift.Join}
	routes := []routesSeen{routesUnread, routesElsewhere, routesRestored, routesChanged, routesReturned, routesGone}
	health := []healthSeen{healthUnread, healthGood, healthNone}
	named := func(all []string) []string {
		all[0] = "not read"
		return all
	}
	return []column{
		{"progress", texts(steps), func(f *facts, v int) { f.progress = steps[v] }},
		{"routes", named(texts(routes)), func(f *facts, v int) { f.routes = routes[v] }},
		flag("moved", func(f *facts) *bool { return &f.moved }),
		flag("exposed", func(f *facts) *bool { return &f.exposed }),
		flag("gate stops", func(f *facts) *bool { return &f.gateStops }),
		flag("stop on failure", func(f *facts) *bool { return &f.stopOnFailure }),
		{"cause", texts(allCauses), func(f *facts, v int) { f.cause = allCauses[v] }},
		{"kind", texts(kinds), func(f *facts, v int) { f.kind = kinds[v] }},
		flag("stop on interrupt", func(f *facts) *bool { return &f.stopOnInterrupt }),
		flag("back before", func(f *facts) *bool { return &f.back }),
		flag("repairs", func(f *facts) *bool { return &f.repairs }),
		{"rollback target", named(texts(health)), func(f *facts, v int) { f.target = health[v] }},
	}
}

// possible reports whether the facts can occur together. The table leaves out the others.
func possible(f facts) bool {
	isExternal := f.routes == routesChanged || f.routes == routesReturned
	before := []Cause{BlockedByGate, MovedExternally, VersionRejected, NotForwarding, TooManyGroups, HoldTooShort, OtherSwitch, Locked, RecordFailed}
	switch {
	case f.gateStops && f.cause != GateInconclusive && f.routes == routesElsewhere: // elsewhere it does not matter
		return false
	case f.progress == notRead || f.progress == notStarted:
		return f.routes == routesUnread && f.target == healthUnread && !f.moved
	case slices.Contains(before, f.cause) || f.cause == ExternalChange && !isExternal && f.routes != routesGone:
		return false
	case f.repairs && f.kind != shift.Forward:
		return false
	case f.cause == RolledBackByUser: // the routes were read
		return f.routes != routesUnread && f.routes != routesRestored && (f.routes == routesElsewhere || f.target == healthUnread)
	case f.cause == LeaseLost:
		return f.routes == routesUnread && f.target == healthUnread
	case isExternal && f.cause != ExternalChange && slices.Contains([]Cause{HealthFailed, NotHealthy, TooFewTargets, HealthUnreadable, GateInconclusive, RouterFailed, TimedOut}, f.cause):
		return false // the change replaces such a cause
	case f.routes == routesGone:
		return f.target == healthUnread
	case f.progress == completed || f.kind == shift.Rollback: // the routes are not read again
		return f.target == healthUnread && (isExternal && f.cause == ExternalChange || f.routes == routesUnread)
	}
	return f.kind.Moves() && (f.target == healthUnread || f.routes == routesElsewhere)
}

// rowsFrom returns the rows of the table for all facts from the i-th column on. Facts that
// do not matter have a dash, and values with the same rows share them. It returns nil
// where no facts are possible.
func rowsFrom(f facts, all []column, i int) [][]string {
	if i == len(all) {
		if !possible(f) {
			return nil
		}
		e := f.ending()
		rejects := "-"
		if e.rejects {
			rejects = "rejected"
		}
		return [][]string{{string(e.next), string(e.disposition), rejects}}
	}
	type group struct {
		values []string
		rows   [][]string
	}
	var groups []group
	count := 0
	for v, name := range all[i].values {
		all[i].set(&f, v)
		rows := rowsFrom(f, all, i+1)
		if rows == nil {
			continue
		}
		count++
		j := slices.IndexFunc(groups, func(g group) bool { return reflect.DeepEqual(g.rows, rows) })
		if j < 0 {
			groups = append(groups, group{rows: rows})
			j = len(groups) - 1
		}
		groups[j].values = append(groups[j].values, name)
	}
	var rows [][]string
	for _, g := range groups {
		name := strings.Join(g.values, " | ")
		if len(groups) == 1 {
			name = "-"
		} else if len(g.values) > 3 {
			name = "any other"
		}
		for _, row := range g.rows {
			rows = append(rows, append([]string{name}, row...))
		}
	}
	return rows
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

// The golden file is the whole table: each possible combination of facts is in one row.
func TestFacts_ending(t *testing.T) {
	all := columns()
	rows := rowsFrom(facts{}, all, 0)
	seen := map[string]bool{}
	for _, row := range rows {
		text := strings.Join(row, "\t")
		if seen[text] {
			t.Errorf("two equal rows: %q", row)
		}
		seen[text] = true
	}
	var header []string
	for _, c := range all {
		header = append(header, c.name)
	}
	header = append(header, "next", "disposition", "version")
	golden.Check(t, aligned(append([][]string{header}, rows...)))
}
