package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// fill returns the text of an argument with its placeholders filled in. The place is an
// ArgumentError without an error; escape prepares a value for the text.
type fill func(place ArgumentError, text string, escape func(string) string) string

// filling is the arguments of a kind whose texts may have placeholders: it returns them with
// each such text filled in. It changes nothing that the arguments share with others.
type filling[C any] func(fill) C

// fillMap fills in the values of a map.
func (f fill) fillMap(argument string, values map[string]string) map[string]string {
	if values == nil {
		return nil
	}
	filled := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		filled[key] = f(ArgumentError{Argument: argument, Key: key}, values[key], placeholder.Plain)
	}
	return filled
}

// sampled returns arguments whose placeholders are replaced, for the other checks, and what is
// wrong with the placeholders.
func (c filling[C]) sampled() (C, []*ArgumentError) {
	var errs []*ArgumentError
	sample := c(func(place ArgumentError, text string, _ func(string) string) string {
		if err := placeholder.Check(text); err != nil {
			place.Err = fmt.Errorf("%w: %w", ErrInvalid, err)
			errs = append(errs, &place)
		}
		return placeholder.Sample(text)
	})
	return sample, errs
}

// needsInput reports whether there are placeholders.
func (c filling[C]) needsInput() bool {
	found := false
	c(func(_ ArgumentError, text string, _ func(string) string) string {
		found = found || placeholder.Has(text)
		return text
	})
	return found
}

// needsLive returns the first argument with a placeholder of the live environment; nil: none has.
func (c filling[C]) needsLive() *ArgumentError {
	var found *ArgumentError
	c(func(place ArgumentError, text string, _ func(string) string) string {
		if found == nil && placeholder.HasLive(text) {
			place.Err = placeholder.ErrNoLive
			found = &place
		}
		return text
	})
	return found
}

// build builds a gate, directly where nothing is to be filled in.
func (c filling[C]) build(build func(C) (rollout.Gate, error)) (rollout.Gate, error) {
	if !c.needsInput() {
		return build(c(func(_ ArgumentError, text string, _ func(string) string) string { return text }))
	}
	sample, errs := c.sampled()
	if len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	if _, err := build(sample); err != nil { // what does not depend on the placeholders
		return nil, err
	}
	return &filledGate[C]{filling: c, create: build}, nil
}

// filledGate is a gate that is built with the values of a shift.
type filledGate[C any] struct {
	filling filling[C]
	create  func(C) (rollout.Gate, error)
	texts   string // that gate was built with
	gate    rollout.Gate
}

// Evaluate implements rollout.Gate. Without a live environment there is nothing to compare with,
// as in a first release, which this must not prevent.
func (g *filledGate[C]) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	filled, err := g.filled(in)
	if err != nil {
		return unfilled(err)
	}
	return filled.Evaluate(ctx, in)
}

// Preflight implements rollout.Preflight.
func (g *filledGate[C]) Preflight(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	filled, err := g.filled(in)
	if err != nil {
		return unfilled(err)
	}
	if p, is := filled.(rollout.Preflight); is {
		return p.Preflight(ctx, in)
	}
	return rollout.Verdict{Status: rollout.Pass}
}

func unfilled(err error) rollout.Verdict {
	if errors.Is(err, placeholder.ErrNoLive) {
		return rollout.Verdict{Status: rollout.Pass, Detail: "not evaluated: there is no live environment, as in a first release"}
	}
	return rollout.Verdict{Status: rollout.Errored, Final: true, Detail: "it cannot be evaluated: " + oneLine(err.Error()), Err: err}
}

// filled returns the gate for an input. It is built once for the same values.
func (g *filledGate[C]) filled(in rollout.GateInput) (rollout.Gate, error) {
	var failed error
	var texts []string
	config := g.filling(func(_ ArgumentError, text string, escape func(string) string) string {
		expanded, err := placeholder.Expand(text, in, escape)
		if failed == nil {
			failed = err
		}
		texts = append(texts, expanded)
		return expanded
	})
	key := strings.Join(texts, "\x00")
	switch {
	case failed != nil:
		return nil, failed
	case g.gate != nil && g.texts == key:
		return g.gate, nil
	}
	built, err := g.create(config)
	if err != nil {
		return nil, err
	}
	g.gate, g.texts = built, key
	return built, nil
}
