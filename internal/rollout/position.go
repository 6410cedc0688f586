package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Accessors of a run's state.

func (r *run) ids() []string {
	ids := make([]string, len(r.spec.Routes))
	for i, route := range r.spec.Routes {
		ids[i] = route.ID
	}
	return ids
}

func (r *run) indexes() []int {
	indexes := make([]int, len(r.spec.Routes))
	for i := range indexes {
		indexes[i] = i
	}
	return indexes
}

// weights returns the weights of the i-th route as last read.
func (r *run) weights(i int) shift.Weights {
	return r.spec.Owners.Weights(r.spec.Routes[i].Entry, r.current[i])
}

// mean returns the mean weights of the routes as last read.
func (r *run) mean() shift.Weights {
	var all []shift.Weights
	for i := range r.spec.Routes {
		all = append(all, r.weights(i))
	}
	return shift.Mean(all)
}

// highest returns the largest share of each environment on any route at a step. A route
// that is further along counts with its current weights.
func (r *run) highest(at shift.Share) shift.Weights {
	most := shift.Weights{}
	for i := range r.spec.Routes {
		for _, w := range []shift.Weights{r.schedule.At(i, at), r.weights(i)} {
			for name, share := range w {
				most[name] = max(most[name], share)
			}
		}
	}
	return most
}

// steps returns the steps of the strategy, without the last one; a revert has none.
func (r *run) steps() []shift.Step {
	if r.schedule.Kind == shift.Revert {
		return nil
	}
	return r.spec.Request.Strategy.Steps
}

// stepNumber returns the number of a step, from 1.
func (r *run) stepNumber(step shift.Step) int {
	steps := r.steps()
	i := slices.IndexFunc(steps, func(s shift.Step) bool { return s.At >= step.At })
	if i < 0 {
		return len(steps) + 1
	}
	return i + 1
}

func (r *run) stepName(step shift.Step) string {
	return fmt.Sprintf("step %d of %d (%s)", r.stepNumber(step), len(r.steps())+1, step.At)
}

// stepReached returns the number of the last step that a split has reached, or 1 if it
// has reached none.
func (r *run) stepReached(at shift.Share) int {
	n := 0
	for _, step := range r.steps() {
		if step.At <= at {
			n++
		}
	}
	return max(n, 1)
}

// lastStep returns the step whose weights the routes have now.
func (r *run) lastStep() shift.Step {
	steps := r.steps()
	if r.step > 0 && r.step <= len(steps) {
		return steps[r.step-1]
	}
	if r.schedule.Split != nil {
		return *r.schedule.Split
	}
	return shift.Step{At: r.at}
}

// incomingBackends returns the groups that gain traffic, with the routes on which they do.
func (r *run) incomingBackends() []traffic.Backend {
	return r.backends(r.schedule.Gaining, r.schedule.GainsOn)
}

// liveBackends returns the groups that had traffic at the start and do not gain any, on
// routes that this shift changes.
func (r *run) liveBackends() []traffic.Backend {
	return r.backends(r.schedule.From().Names(), func(i int, name string) bool {
		return len(r.schedule.GainingOn(i)) > 0 && !r.schedule.GainsOn(i, name)
	})
}

// backends returns the groups of environments with their routes, where the condition
// holds for the index of the route and the environment.
func (r *run) backends(names []string, holds func(int, string) bool) []traffic.Backend {
	var all []traffic.Backend
	for _, name := range names {
		for i, route := range r.spec.Routes {
			group := r.spec.Owners.Group(route.Entry, name, r.observed[i])
			if group == "" || !holds(i, name) {
				continue
			}
			j := slices.IndexFunc(all, func(s traffic.Backend) bool { return s.Group == group })
			if j < 0 {
				all = append(all, traffic.Backend{Entry: route.Entry, Environment: name, Version: r.versionOf(name), Group: group})
				j = len(all) - 1
			}
			all[j].Routes = append(all[j].Routes, route.ID)
		}
	}
	return all
}

func (r *run) versionOf(environment string) string {
	for _, e := range r.spec.Request.Environments {
		if e.Name == environment {
			return e.Version
		}
	}
	return ""
}

// describe formats a state of the i-th route, such as "blue 95 %, green 5 %".
func (r *run) describe(i int, s traffic.State) string {
	if s.Response != "" {
		return s.Response
	}
	entry := r.spec.Routes[i].Entry
	shares, idle := r.spec.Owners.Weights(entry, s), ""
	for _, group := range s.Groups() {
		if s.Weights[group] == 0 {
			idle = joinText(idle, r.spec.Owners.Owner(entry, group)+" 0 %")
		}
	}
	text := strings.ReplaceAll(joinText(shares.String(), idle), "; ", ", ")
	if s.Stickiness > 0 {
		text += ", sticky for " + schedule.FormatDuration(s.Stickiness)
	}
	return text
}

// warn adds a warning to the result unless it is there already.
func (r *run) warn(text string) {
	if !slices.Contains(r.result.Warnings, text) {
		r.result.Warnings = append(r.result.Warnings, text)
	}
}

func (r *run) phase(name string) { r.emit(Event{Kind: PhaseStarted, Text: name}) }

func (r *run) emit(e Event) {
	if r.spec.OnEvent == nil {
		return
	}
	e.At = time.Now()
	r.spec.OnEvent(e)
}

// joinText joins two texts with a semicolon; an empty one is left out.
func joinText(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + "; " + b
	}
}
