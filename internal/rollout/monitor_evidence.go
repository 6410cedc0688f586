package rollout

import (
	"errors"
	"fmt"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// ErrNoAnswer reports a read of health that has not returned in time.
var ErrNoAnswer = errors.New("no answer")

// evidence is for how long reads have shown unhealthy targets without showing better ones in
// between. Time in which nothing was read, or in which targets were only missing, is no part of
// it: unknown is not bad.
type evidence struct {
	collected time.Duration // up to the last pause
	from      time.Time     // since when it is being collected; zero: paused
	pausedAt  time.Time     // since when nothing was read; zero: not paused
	unread    time.Duration // pauses before, which a breach may last longer for
}

// observeEvidence takes in a read that succeeded.
func (s *healthState) observeEvidence(unhealthy bool, now time.Time) {
	switch {
	case !unhealthy:
		s.evidence = evidence{}
	case s.from.IsZero():
		if s.from = now; !s.pausedAt.IsZero() {
			s.unread += now.Sub(s.pausedAt)
			s.pausedAt = time.Time{}
		}
	}
}

// pauseEvidence stops collecting at the end of what the last successful read covers.
func (s *healthState) pauseEvidence() {
	if !s.from.IsZero() {
		s.collected += s.lastRead.Sub(s.from)
		s.from, s.pausedAt = time.Time{}, s.lastRead
	}
}

// evidenceAt returns how much evidence there is at a time.
func (s healthState) evidenceAt(now time.Time, limit time.Duration) time.Duration {
	if s.from.IsZero() {
		return s.collected
	}
	until := s.countsUntil(limit)
	if until.After(now) {
		until = now
	}
	return s.collected + until.Sub(s.from)
}

// proves reports whether there is evidence for a whole limit.
func (s healthState) proves(h *horizon, limit time.Duration) bool {
	if s.from.IsZero() {
		return s.collected > 0 && s.collected >= limit
	}
	at := s.from.Add(limit - s.collected)
	return h.reached(at) && !s.countsUntil(limit).Before(at)
}

// countsUntil returns until when the last read counts: until the next one is due, and for as
// long as that may take to return. With the pauses of nextPoll, one read counts for less than a
// whole limit.
func (s healthState) countsUntil(limit time.Duration) time.Time {
	if s.err != nil {
		return s.lastRead
	}
	return s.nextRead.Add(max(min(limit/3, maxPollInterval), 5*minPollInterval))
}

// isUnread reports whether the last read failed, or no longer counts.
func (s healthState) isUnread(h *horizon, limit time.Duration) bool {
	return s.err != nil || s.lastRead.IsZero() || h.reached(s.countsUntil(limit))
}

// unreadable returns the Failure of health that is not known, with what was read last.
func (s healthState) unreadable(now time.Time, last string) *Failure {
	f := &Failure{Cause: HealthUnreadable, Err: s.err, Detail: "no read succeeded"}
	if f.Err == nil {
		f.Err = ErrNoAnswer
	}
	if !s.lastRead.IsZero() {
		f.Detail = fmt.Sprintf("the last read that succeeded was %s ago", formatElapsed(now.Sub(s.lastRead)))
		if last != "" {
			f.Detail += " and showed " + last
		}
	}
	return f
}

// breachFailure returns the Failure of health that has been degraded for BreachFor, nil before. Users
// leave the version in any case; whether it is bad depends on what was read. Where reads failed
// in between and show unhealthy targets again, the breach lasts longer by that time, and at most
// twice as long.
func (s healthState) breachFailure(h *horizon, limit time.Duration) *Failure {
	if s.breachSince.IsZero() || !h.reached(s.breachSince.Add(limit)) {
		return nil
	}
	proven, unread := s.proves(h, limit), s.isUnread(h, limit)
	switch {
	case proven:
		return &Failure{Cause: HealthFailed, Detail: fmt.Sprintf("%s, for %s", s.breach.text, formatElapsed(s.evidenceAt(h.now, limit)))}
	case unread:
		return s.unreadable(h.now, s.breach.text)
	case !s.from.IsZero() && !h.reached(s.breachSince.Add(limit+min(s.unread, limit))):
		return nil
	}
	return &Failure{Cause: TooFewTargets, Capacity: s.breach.capacity, Detail: fmt.Sprintf("%s, for %s", s.breach.text, formatElapsed(h.now.Sub(s.breachSince)))}
}

// notReady returns the Failure of health that did not suffice for the time that was waited.
func (s healthState) notReady(h *horizon, limits HealthSettings, waited time.Duration) *Failure {
	if s.isUnread(h, limits.Timeout) {
		return s.unreadable(h.now, s.lacks.text)
	}
	f, detail := &Failure{Cause: TooFewTargets, Capacity: s.lacks.capacity}, s.lacks.text
	switch {
	case detail == "":
		f.Cause, detail = NotHealthy, "healthy, but not steady for "+schedule.FormatDuration(limits.SteadyFor)
	case s.lacks.unhealthy:
		f.Cause = NotHealthy
	}
	f.Detail = fmt.Sprintf("%s, after %s", detail, formatElapsed(min(waited, limits.Timeout)))
	return f
}
