package traffic

import (
	"context"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Verb is what somebody asks of a running shift.
type Verb string

// The verbs.
const (
	VerbApprove Verb = "approve" // a gate passes at this step
	VerbPromote Verb = "promote" // the hold ends now, if all gates pass
	VerbAbort   Verb = "abort"   // the shift is rolled back, and the version is rejected
)

// Verbs returns all verbs.
func Verbs() []Verb { return []Verb{VerbApprove, VerbPromote, VerbAbort} }

// Request is what somebody asks of a running shift. It counts for one step, so that a late one
// does not act on another. Everybody who may tag the route can make it: By is a claim.
type Request struct {
	Verb   Verb        `json:"verb"`
	Shift  string      `json:"shift"`
	At     shift.Share `json:"at"`             // Record.Reached when it was made
	Gate   string      `json:"gate,omitempty"` // of VerbApprove
	By     string      `json:"by"`             // who claims to have made it
	Reason string      `json:"reason,omitempty"`
	Nonce  string      `json:"nonce"` // identifies the request in Record.Answers
}

// Requester keeps requests beside the routes. All methods are safe for concurrent use and return
// the errors of Router.
type Requester interface {
	// Requests returns the requests on the routes, each once, in the order of Verbs.
	Requests(ctx context.Context, routes []string) ([]Request, error)
	// Ask writes a request to the routes, in place of one with the same verb.
	Ask(ctx context.Context, routes []string, r Request) error
	// RemoveRequests removes the requests with the verbs from the routes. It succeeds where there
	// are none.
	RemoveRequests(ctx context.Context, routes []string, verbs []Verb) error
}

// Result is what became of a request.
type Result string

// The results.
const (
	ResultAccepted Result = "accepted"
	ResultTooLate  Result = "too_late" // it was made for another step
	ResultNoGate   Result = "no_gate"  // no approval of that name is open at this step
	ResultNoHold   Result = "no_hold"  // there is no hold to end now
)

// WithAnswer adds an answer to those of Record.Answers, which has as many as there are verbs: that
// many requests can arrive at once.
func WithAnswer(answers, nonce string, result Result) string {
	all := append(strings.FieldsFunc(answers, isAnswerSeparator), nonce+":"+string(result))
	return strings.Join(all[max(0, len(all)-len(Verbs())):], "/")
}

// AnswerTo returns the answer to a request in Record.Answers; false: there is none.
func AnswerTo(answers, nonce string) (Result, bool) {
	for _, answer := range strings.FieldsFunc(answers, isAnswerSeparator) {
		if result, ok := strings.CutPrefix(answer, nonce+":"); ok {
			return Result(result), true
		}
	}
	return "", false
}

func isAnswerSeparator(r rune) bool { return r == '/' }
