package gate

import (
	"fmt"
	"math"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// maxUnansweredShare is the part of the requests that may be without a code where
// there is nobody to compare with; moreUnanswered is how much more than with the
// live side's.
const (
	maxUnansweredShare = 0.5
	unansweredMargin   = 0.01
)

// checkUnanswered looks at requests without a code that is counted. WebSockets and
// clients that leave are among them on either side, so what is no more than the
// live side has is told. What is more may be a release that hangs: its requests are
// no errors until somebody gives up, and they are no good answers either.
func (j evaluation) checkUnanswered(t tally, w metricSpan) finding {
	k := proportion{t.uncounted(), int(math.Round(t.requests))}
	f := finding{status: rollout.Pass}
	if k.bad == 0 {
		return f
	}
	f.text = fmt.Sprintf("%d without a code that is counted", k.bad)
	live := j.tally(j.groups.live, w)
	if live.requests < float64(j.MinRequests) {
		live = j.tally(j.groups.live, j.before)
	}
	rival := proportion{live.uncounted(), int(math.Round(live.requests))}
	switch {
	case rival.total < j.MinRequests && k.rate() > maxUnansweredShare:
		f.status = rollout.Inconclusive
		f.text += ", so most may not have been answered yet"
	case rival.total >= j.MinRequests && pValue(k, rival, unansweredMargin) <= j.threshold():
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf(" (%s has %d in %s), so they may not have been answered yet", j.groups.liveNames(), rival.bad, requestsText(live.requests))
	}
	return f
}

// threshold is how little chance must leave for a difference to count in this look.
func (j evaluation) threshold() float64 {
	return alphaOfEvaluation(1-*j.Confidence, int(j.since.length()/j.Period))
}
