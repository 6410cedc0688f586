package gate

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	// maxUnansweredShare is the share of requests that may have no response code if
	// there is no live environment to compare with.
	maxUnansweredShare = 0.5
	// unansweredMargin is how much that share may exceed the share of live.
	unansweredMargin = 0.01
)

// unanswered evaluates requests without a counted response code. WebSockets and
// clients that disconnect cause some in every environment, so a share like that of
// live is only reported. A larger share may be a release that hangs: its requests are
// not errors until they time out, but they are not ok either.
func (e evaluation) unanswered(errors quality, w metricSpan) finding {
	if errors.mustPersist {
		return finding{} // slow responses are responses
	}
	ev := e.evidence(quality{of: tally.unansweredShare}, w)
	incoming, live, test := ev.incoming.sum, ev.live.sum, ev.outsideOfLive
	if incoming.bad == 0 {
		return finding{}
	}
	if !ev.isConcurrent(e.MinRequests) {
		live, test = ev.history.sum, ev.outsideOfHistory
	}
	f := finding{rollout.Pass, requestsText(float64(incoming.bad)) + " without a counted response code"}
	hangs := finding{rollout.Inconclusive, "inconclusive because " + f.text}
	switch {
	case live.total < e.MinRequests && incoming.rate() > maxUnansweredShare:
		hangs.text += " may still be unanswered"
		return hangs
	case live.total >= e.MinRequests && test(tolerance{1, unansweredMargin}).p <= e.threshold():
		hangs.text += fmt.Sprintf(" (%s: %d of %s) may still be unanswered", e.groups.liveNames(), live.bad, requestsText(float64(live.total)))
		return hangs
	}
	return f
}
