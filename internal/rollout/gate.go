package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Gate evaluates a release. Evaluations of one gate never run at the same time.
type Gate interface {
	// Evaluate measures once. It must return when ctx ends: at the gate's timeout, or
	// when the result is no longer needed. A gate that could not measure returns
	// Errored, never Pass.
	Evaluate(ctx context.Context, input GateInput) Verdict
}

// Preflight is implemented by gates that can prevent a shift from starting.
type Preflight interface {
	// Preflight is called once, with the gate's timeout, before a shift forward or the
	// readiness check of an environment writes anything. Fail (what it measures is bad
	// already) and Errored (Evaluate could not work later) block the shift; Pass and
	// Inconclusive do not. It is not called before a rollback or revert, nor for a
	// current split, nor where the gaining environments already have most of the
	// traffic. The gate may retain what it learned for Evaluate.
	Preflight(ctx context.Context, input GateInput) Verdict
}

// Status is the result of an evaluation.
type Status string

// The statuses. The zero value counts as Errored.
const (
	Pass         Status = "pass"
	Fail         Status = "fail"
	Inconclusive Status = "inconclusive" // measured, but without a result yet
	Errored      Status = "error"        // could not measure
)

// Verdict is the result of an evaluation with its evidence. It never contains a secret.
type Verdict struct {
	Status Status
	Detail string // for people: the value, the limit, the number of samples
	Err    error  // the cause, with Errored

	// Advice is what is wrong with the gate or its data although it decides nothing. It becomes
	// a warning of the shift. Empty: nothing.
	Advice string
	// Final reports, with Errored, that the configuration is wrong, so that other calls would
	// not help: the shift does not wait for ErrorLimit.
	Final bool
	// Standing reports, with Inconclusive, that its cause was there before the weight change. A
	// shift waits InconclusiveTimeout for such a result once, not at every step.
	Standing bool
	// RetryAfter is how long the gate asks not to be called, up to MaxRetryAfter. 0: its
	// interval applies.
	RetryAfter time.Duration
	// Measured are the numbers that Detail is about, for those who draw them. Nil: there are none.
	Measured []Measurement
}

// Measurement is a number that a gate compared with limits. It never contains a secret.
type Measurement struct {
	Name     string // what it is, the same in every evaluation, such as "error rate"
	Entry    string // the entry point that it is about; empty: not a single one
	Unit     string // such as "%" or "s"; empty: none
	Value    float64
	Min, Max *float64 // both inclusive; nil: there is none
	Samples  int      // the number of requests, responses or data points; 0: not known
	// From and To are the time that it is about; zero: not known.
	From, To time.Time
}

// ErrUnreachable is the cause of a Preflight that could not connect to the server of the gate.
var ErrUnreachable = errors.New("the server of the gate cannot be reached")

// MaxRetryAfter limits Verdict.RetryAfter: nothing is known about the version meanwhile.
const MaxRetryAfter = 5 * time.Minute

// GateInput describes the shift to a gate.
type GateInput struct {
	Shift     string        // the id of the shift
	Gate      string        // the name of the gate
	From, To  shift.Weights // of the whole shift; From is nil where no route forwarded
	Part      shift.When
	Step      int // from 1; 0 before any traffic
	Steps     int // the number of steps, including the one at 100 %
	Weights   shift.Weights
	StartedAt time.Time         // of the shift
	ChangedAt time.Time         // of the last weight change
	DataFrom  time.Time         // the end of InitialDelay; not after ChangedAt: there is none
	Attempt   int               // the number of this evaluation since ChangedAt, from 1
	Call      int               // the number of this evaluation in the shift, from 1
	Approved  string            // who approved this step of a gate with TakesApproval; empty: nobody
	Rollback  bool              // the shift returns to an earlier version, so its gates only report
	Incoming  []traffic.Backend // groups of environments that gain
	Live      []traffic.Backend // groups of environments in From that do not gain
}

// Since returns when the data begins that counts: at the last weight change or, if that is
// later, at the end of the gate's initial delay.
func (in GateInput) Since() time.Time {
	if in.DataFrom.After(in.ChangedAt) {
		return in.DataFrom
	}
	return in.ChangedAt
}

// NamedGate is a gate with its settings.
type NamedGate struct {
	shift.GateSettings
	Gate Gate
	// OnInconclusive is what happens after InconclusiveTimeout: Fail, Pass, or
	// Inconclusive, which stops the shift in place.
	OnInconclusive Status
	// PassLasts reports that a pass counts until the weights change: the gate is not called again
	// before that, because a step needs one approval.
	PassLasts bool
	// TakesApproval reports that people can approve the gate by a request to the shift.
	TakesApproval bool
}
