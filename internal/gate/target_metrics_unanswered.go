package gate

import (
	"fmt"
	"math"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// mostUnanswered is the part of the requests that may be without a code where
// there is nobody to compare with; moreUnanswered is how much more than with the
// live side's.
const (
	mostUnanswered = 0.5
	moreUnanswered = 0.01
)

// unanswered looks at requests without a code that is counted. WebSockets and
// clients that leave are among them on either side, so what is no more than the
// live side has is told. What is more may be a release that hangs: its requests are
// no errors until somebody gives up, and they are no good answers either.
func (j judgement) unanswered(t tally, w metricSpan) finding {
	k := proportion{t.unexplained(), int(math.Round(t.requests))}
	f := finding{answer: rollout.Pass}
	if k.bad == 0 {
		return f
	}
	f.text = fmt.Sprintf("%d without a code that is counted", k.bad)
	live := j.tally(j.contest.live, w)
	if live.requests < float64(j.MinRequests) {
		live = j.tally(j.contest.live, j.before)
	}
	rival := proportion{live.unexplained(), int(math.Round(live.requests))}
	switch {
	case rival.of < j.MinRequests && k.rate() > mostUnanswered:
		f.answer = rollout.Inconclusive
		f.text += ", so most may not have been answered yet"
	case rival.of >= j.MinRequests && chanceOfWorse(k, rival, moreUnanswered) <= j.bar():
		f.answer = rollout.Inconclusive
		f.text += fmt.Sprintf(" (%s has %d in %s), so they may not have been answered yet", j.contest.rival(), rival.bad, requestsOf(live.requests))
	}
	return f
}

// bar is how little chance must leave for a difference to count in this look.
func (j judgement) bar() float64 {
	return shareOfLook(1-*j.Confidence, int(j.since.length()/j.Period))
}
