package rollout

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Gate judges whether a release is good, once per call.
type Gate interface {
	// Evaluate measures and answers. It keeps to ctx, which ends at the gate's
	// timeout and when nobody waits for the answer any more. Whoever could not
	// measure answers Errored, never Pass.
	Evaluate(ctx context.Context, moment GateInput) Verdict
}

// Preflight is what a gate may be besides: one that has something to say before
// anything is written.
type Preflight interface {
	// Preflight is asked once, under the gate's timeout, before a shift forward or
	// the proof of an environment does anything. Any answer but Pass and
	// Inconclusive keeps it from beginning: Fail where what is watched is bad
	// already, Errored where the gate could not do its work later. A way back is
	// never asked about, nor a split that is found, nor a shift to a side that has
	// most of the traffic already. It may keep what it has learned for Evaluate.
	Preflight(ctx context.Context, moment GateInput) Verdict
}

// Status is what a gate says.
type Status string

// The answers. The zero value is none of them and counts as Errored.
const (
	Pass         Status = "pass"
	Fail         Status = "fail"
	Inconclusive Status = "inconclusive" // measured, but it cannot be told yet
	Errored      Status = "error"        // could not measure
)

// Verdict is an answer and what it rests on, in words for a person: the value
// seen, the limit, the samples. It never holds a secret.
type Verdict struct {
	Status Status
	Detail string
	Err    error // the cause, with Errored
}

// GateInput is the place in a shift at which a gate is asked.
type GateInput struct {
	Shift     string        // an id of this shift
	Gate      string        // the gate's name
	From, To  shift.Weights // the weights it leads from and to; From is nil where nothing had traffic
	Part      shift.When
	Step      int // 1 is the first; 0 before any traffic
	Steps     int // how many there are, the one at 100 % included
	Weights   shift.Weights
	StartedAt time.Time // of the shift
	ChangedAt time.Time // of the last change of weights; only data from after it counts
	Attempt   int       // how often this gate was asked since then, from 1
	Incoming  []Backend // groups that gain, by entry point
	Live      []Backend // groups that give
}

// Backend is a group of an environment behind an entry point.
type Backend struct {
	Entry       string
	Environment string
	Version     string // of the environment; empty: it has none
	Group       string
	Routes      []string
}

// NamedGate is a gate and the terms under which it is asked.
type NamedGate struct {
	shift.GateSettings
	Gate Gate
	// OnInconclusive is what an InconclusiveTimeout amounts to: Fail, Pass, or
	// Inconclusive, which stops the shift where it is.
	OnInconclusive Status
}
