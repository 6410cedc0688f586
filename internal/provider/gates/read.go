package gates

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// reader reads the arguments of gates.
type reader struct{ *input.Reader }

// Read reads the blocks of gates. It returns the gates sorted by name, whatever the order of the
// blocks.
func Read(r *input.Reader, at path.Path, v attr.Value, place Place) []*Gate {
	var all []*Gate
	first := map[string]path.Path{} // by name
	for i, block := range r.Blocks(v) {
		own := reader{&input.Reader{}}
		at := at.AtListIndex(i)
		attrs := own.Attributes(block)
		name := own.name(at.AtName("name"), attrs["name"], first)
		if g := own.gate(at, name, attrs); g != nil {
			own.finish(g, place)
			all = append(all, g)
		}
		r.Unknown = r.Unknown || own.Unknown
		for _, d := range own.Diags {
			r.Add(input.About(d, input.Fact{"Gate", name}))
		}
	}
	slices.SortStableFunc(all, func(a, b *Gate) int { return cmp.Compare(a.Terms.Name, b.Terms.Name) })
	return all
}

// name reads the name of a gate; empty where it is unknown or cannot be used. First are the gates
// so far.
func (r reader) name(at path.Path, v attr.Value, first map[string]path.Path) string {
	text, ok := v.(types.String)
	if !r.Known(v) || !ok {
		return ""
	}
	name := text.ValueString()
	switch {
	case name == "":
		r.Add(unusableName(at, name, "It is empty."))
	case strings.TrimSpace(name) == "":
		r.Add(unusableName(at, name, "It is blank."))
	case strings.TrimSpace(name) != name:
		r.Add(unusableName(at, name, "It begins or ends with white space."))
	case strings.ContainsFunc(name, unicode.IsControl):
		r.Add(unusableName(at, name, "It contains a control character, such as a newline."))
	case strings.Contains(name, ","):
		r.Add(unusableName(at, name, "It contains a comma, which separates gates in a schedule."))
	case first[name].String() != "":
		r.Add(sameName(at, first[name]))
	default:
		first[name] = at
		return name
	}
	return ""
}

func (r reader) gate(at path.Path, name string, attrs map[string]attr.Value) *Gate {
	if attrs == nil {
		return nil
	}
	g := &Gate{Terms: shift.GateSettings{Name: name, When: shift.During}, nameAt: at.AtName("name")}
	kind, ok := r.kindOf(at, attrs)
	if !ok {
		return g
	}
	g.Terms = r.readTerms(at, attrs, kind)
	g.Terms.Name = name
	g.Terms.AtSteps, g.stepsAt = r.steps(at.AtName("at_percent"), attrs["at_percent"], g.Terms.When)
	g.onInconclusive = map[string]rollout.Status{"fail": rollout.Fail, "pass": rollout.Pass, "stop": rollout.Inconclusive}[r.Choice(
		at.AtName("on_inconclusive_timeout"), attrs["on_inconclusive_timeout"], "fail", "pass", "stop")]
	own := reader{&input.Reader{}} // the schedule depends on only a few arguments of a kind
	in, args := own.Block(at.AtName(kind.name), attrs[kind.name])
	if args != nil {
		g.configuration, g.kindAt = kind.read(own, in, args), in
		g.Terms.Lag = g.lag
		g.approvalTerms(r, at, attrs)
		r.Unknown = r.Unknown || g.unknown || g.noteUnknown && (g.Terms.When == shift.Before || g.Terms.When == shift.Always)
	}
	r.Diags.Append(own.Diags...)
	return g
}

// finish checks a gate against the place where it is configured.
func (r reader) finish(g *Gate, place Place) {
	if place != OfReady {
		return
	}
	g.Terms.When = shift.Before
	if g.withoutLive != nil {
		r.Add(input.Misuse(g.withoutLive.at, g.withoutLive.text))
	}
}

// kindOf returns the one kind of a gate; false where it has none or several, or where it is not
// known which.
func (r reader) kindOf(at path.Path, attrs map[string]attr.Value) (kind, bool) {
	var found []kind
	anyUnknown := false
	for _, kind := range kinds() {
		switch v := attrs[kind.name]; {
		case input.NoBlock(v):
		case v.IsUnknown(): // it may turn out to be absent
			anyUnknown = true
		default:
			found = append(found, kind)
		}
	}
	r.Unknown = r.Unknown || anyUnknown
	switch {
	case len(found) > 1:
		r.Add(gateOfTwoKinds(at.AtName("name"), kindNames(found)))
	case len(found) == 1:
		return found[0], true
	case !anyUnknown:
		r.Add(gateWithoutKind(at.AtName("name"), kindNames(kinds())))
	}
	return kind{}, false
}

func kindNames(kinds []kind) []string {
	var names []string
	for _, kind := range kinds {
		names = append(names, kind.name)
	}
	slices.Sort(names)
	return names
}

func (r reader) readTerms(at path.Path, attrs map[string]attr.Value, kind kind) shift.GateSettings {
	return shift.GateSettings{
		When: shift.When(r.Choice(at.AtName("when"), attrs["when"],
			string(shift.During), string(shift.Before), string(shift.After), string(shift.Always))),
		Interval:            r.Positive(at.AtName("interval"), attrs["interval"], 10*time.Second),
		Timeout:             r.Positive(at.AtName("timeout"), attrs["timeout"], 10*time.Second),
		InitialDelay:        r.Duration(at.AtName("initial_delay"), attrs["initial_delay"], 0),
		InconclusiveTimeout: r.Duration(at.AtName("inconclusive_timeout"), attrs["inconclusive_timeout"], kind.inconclusive),
		FailureLimit:        r.Whole(at.AtName("failure_limit"), attrs["failure_limit"], 0, 0),
		ErrorLimit:          r.Whole(at.AtName("consecutive_error_limit"), attrs["consecutive_error_limit"], 0, 4),
		DryRun:              r.Boolean(attrs["dry_run"]),
	}
}

// steps reads the percentages of the steps at which a gate is evaluated, with their paths.
func (r reader) steps(at path.Path, v attr.Value, when shift.When) (steps []shift.Share, paths []path.Path) {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil, nil
	}
	if when != shift.During && len(list.Elements()) > 0 {
		r.Add(stepsAndWhen(at, when))
		return nil, nil
	}
	for i, e := range list.Elements() {
		at := at.AtListIndex(i)
		n, ok := e.(types.Number)
		switch {
		case input.Missing(e):
			r.Add(input.NullElement(at))
			continue
		case !r.Known(e) || !ok:
			continue
		}
		percent, _ := n.ValueBigFloat().Float64()
		share, err := shift.ShareOf(percent)
		if err != nil || share == 0 {
			r.Add(badPercent(at, percent, err))
			continue
		}
		steps, paths = append(steps, share), append(paths, at)
	}
	return steps, paths
}

// Steps returns the percentages of at_percent, with their paths.
func (g *Gate) Steps() iter.Seq2[path.Path, shift.Share] {
	return func(yield func(path.Path, shift.Share) bool) {
		for i, at := range g.stepsAt {
			if !yield(at, g.Terms.AtSteps[i]) {
				return
			}
		}
	}
}

// SameBlocks reports whether two configurations of a block with gates are the same: the order of
// gates has no meaning.
func SameBlocks(a, b types.List) bool {
	if a.IsUnknown() || b.IsUnknown() {
		return a.Equal(b)
	}
	return slices.EqualFunc(a.Elements(), b.Elements(), func(a, b attr.Value) bool {
		x, _ := a.(types.Object)
		y, _ := b.(types.Object)
		return maps.EqualFunc(x.Attributes(), y.Attributes(), func(a, b attr.Value) bool {
			return a.Equal(b) || sameGates(a, b)
		})
	})
}

func sameGates(a, b attr.Value) bool {
	x, ok := a.(types.List)
	y, also := b.(types.List)
	if !ok || !also || x.IsUnknown() || y.IsUnknown() {
		return false
	}
	byName := func(a, b attr.Value) int { return cmp.Compare(nameOf(a), nameOf(b)) }
	return slices.EqualFunc(slices.SortedStableFunc(slices.Values(x.Elements()), byName), slices.SortedStableFunc(slices.Values(y.Elements()), byName), attr.Value.Equal)
}

func nameOf(gate attr.Value) string {
	o, _ := gate.(types.Object)
	return input.AsText(o.Attributes()["name"])
}
