package gate

import (
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/chance"
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
	incoming, live, test := ev.Incoming.Sum, ev.Live.Sum, ev.OutsideOfLive
	if incoming.Bad == 0 {
		return finding{}
	}
	if !ev.IsConcurrent(e.MinRequests) {
		live, test = ev.History.Sum, ev.OutsideOfHistory
	}
	f := finding{rollout.Pass, requestsText(float64(incoming.Bad)) + " without a counted response code"}
	hangs := finding{rollout.Inconclusive, "inconclusive because " + f.text}
	switch {
	case live.Total < e.MinRequests && incoming.Rate() > maxUnansweredShare:
		hangs.text += " may still be unanswered"
		return hangs
	case live.Total >= e.MinRequests && test(chance.Tolerance{Factor: 1, Margin: unansweredMargin}).P <= e.threshold():
		hangs.text += fmt.Sprintf(" (%s: %d of %s) may still be unanswered", e.groups.liveNames(), live.Bad, requestsText(float64(live.Total)))
		return hangs
	}
	return f
}
