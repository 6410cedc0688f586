package gate

import (
	"fmt"
	"math"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	// maxUnansweredShare is the share of requests that may have no response code if
	// there is no live environment to compare with.
	maxUnansweredShare = 0.5
	// unansweredMargin is how much that share may exceed the share of live.
	unansweredMargin = 0.01
)

// checkUnanswered evaluates requests without a counted response code. WebSockets and
// clients that disconnect cause some in every environment, so a share like that of
// live is only reported. A larger share may be a release that hangs: its requests are
// not errors until they time out, but they are not ok either.
func (e evaluation) checkUnanswered(t tally, w metricSpan) finding {
	incoming := proportion{t.uncounted(), int(math.Round(t.requests))}
	f := finding{status: rollout.Pass}
	if incoming.bad == 0 {
		return f
	}
	f.text = requestsText(float64(incoming.bad)) + " without a counted response code"
	liveTally := e.tally(e.groups.live, w)
	if liveTally.requests < float64(e.MinRequests) {
		liveTally = e.tally(e.groups.live, e.before)
	}
	live := proportion{liveTally.uncounted(), int(math.Round(liveTally.requests))}
	switch {
	case live.total < e.MinRequests && incoming.rate() > maxUnansweredShare:
		f.status = rollout.Inconclusive
		f.text += " may still be unanswered"
	case live.total >= e.MinRequests && pValue(incoming, live, unansweredMargin) <= e.threshold():
		f.status = rollout.Inconclusive
		f.text += fmt.Sprintf(" (%s: %d of %s) may still be unanswered", e.groups.liveNames(), live.bad, requestsText(liveTally.requests))
	}
	return f
}

// threshold returns the p-value at or below which a difference is significant in this
// evaluation.
func (e evaluation) threshold() float64 {
	return alphaOfEvaluation(1-*e.Confidence, int(e.since.length()/e.Period))
}
