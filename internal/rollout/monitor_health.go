package rollout

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Poll intervals of health. They start short, because most waits are short, and double
// to stay within ELB's limit on reads (10 per second, account and region).
const (
	minPollInterval = 100 * time.Millisecond
	maxPollInterval = 5 * time.Second
	// failedPollInterval is the minimum pause after a failed read, so that a short outage
	// does not use up maxHealthErrors.
	failedPollInterval = 2 * time.Second
)

// maxHealthErrors is how many consecutive health reads may fail before the shift fails;
// the same as the default consecutive_error_limit of gates.
const maxHealthErrors = 4

type healthAnswer struct {
	health map[string]traffic.Health
	err    error
}

func readHealth(ctx context.Context, router traffic.Router, groups []string, answers chan<- any) {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	health, err := router.Health(limited, groups)
	select {
	case answers <- healthAnswer{health, err}:
	case <-ctx.Done():
	}
}

// required returns the groups whose health the stage needs.
func (w *waiting) required() []incoming {
	if w.ready {
		return w.stage.ready
	}
	return w.stage.watch
}

func (w *waiting) handleHealth(a healthAnswer, now time.Time) *Failure {
	w.health.running, w.health.known = false, true
	pause := w.nextPoll()
	if a.err != nil {
		return w.handleHealthError(a.err, now, max(pause, failedPollInterval))
	}
	w.health.lastRead, w.health.nextRead, w.health.err = now, now.Add(pause), nil
	w.healthErrors = 0
	w.updateReady(a.health, now)
	w.updateBreach(a.health, now)
	w.updateSource(a.health, now)
	w.monitor.warnUnchecked(w.required(), a.health)
	w.reportTargets(a.health)
	return nil
}

// reportTargets reports the targets of the stage where they changed.
func (w *waiting) reportTargets(health map[string]traffic.Health) {
	var all []GroupTargets
	for _, x := range w.required() {
		all = append(all, countTargets(health, GroupTargets{Entry: x.entry, Environment: x.environment, Gains: true}, x.group))
	}
	for _, x := range w.stage.source {
		all = append(all, countTargets(health, GroupTargets{Entry: x.entry, Environment: strings.Join(x.environments, ", ")}, x.groups...))
	}
	if slices.Equal(all, w.monitor.targets) || all == nil {
		return
	}
	w.monitor.targets = all
	text := ""
	for _, x := range all {
		text = joinText(text, fmt.Sprintf("%s (%s): %d healthy, %d unhealthy, %d initial, %d draining", x.Environment, x.Entry, x.Healthy, x.Unhealthy, x.Initial, x.Draining))
	}
	w.monitor.report.emit(Event{Kind: HealthRead, Targets: all, Text: text})
}

// countTargets adds the targets of groups.
func countTargets(health map[string]traffic.Health, x GroupTargets, groups ...string) GroupTargets {
	for _, group := range groups {
		h := health[group]
		x.Healthy += h.Serving()
		x.Unhealthy += h.Count(traffic.Unhealthy) + h.Count(traffic.Unknown)
		x.Initial += h.Count(traffic.Initial)
		x.Draining += h.Count(traffic.Draining)
		x.Unused += h.Count(traffic.Unused)
	}
	return x
}

// handleHealthError counts a failed read. Until the next one succeeds, health is neither
// ready nor steady, and neither good nor bad.
func (w *waiting) handleHealthError(err error, now time.Time, pause time.Duration) *Failure {
	w.healthErrors++
	w.health.pauseEvidence()
	w.health.nextRead, w.health.err = now.Add(pause), err
	w.health.steadySince, w.health.shortSince, w.health.ready = time.Time{}, time.Time{}, false
	w.health.sourceEmpty = false
	clear(w.emptySince) // an answer that is missing is not an empty one
	if w.healthErrors > maxHealthErrors || w.endsReads(err) {
		if errors.Is(err, traffic.ErrNotFound) { // that is an answer
			return &Failure{Cause: RouterFailed, Err: fmt.Errorf("health could not be read: %w", err)}
		}
		return w.health.unreadable(now, w.health.breach.text)
	}
	return nil
}

// endsReads reports whether a failed read of health is not repeated: something does not exist,
// or access is denied while no environment that the stage is about has traffic. In a hold
// that would take the traffic off a version about which nothing is known; permissions are
// edited, and expired credentials renewed, while a shift runs.
func (w *waiting) endsReads(err error) bool {
	return errors.Is(err, traffic.ErrNotFound) || errors.Is(err, traffic.ErrDenied) && !w.watch
}

func (w *waiting) updateReady(health map[string]traffic.Health, now time.Time) {
	if !w.ready {
		return
	}
	w.health.lacks = w.limits.shortfalls(w.stage.ready, health)
	w.health.ready = w.health.lacks.text == ""
	members := membership(w.stage.ready, health)
	if !w.health.ready || members == "" || members != w.members {
		w.health.steadySince = time.Time{}
	}
	if w.health.ready && members != "" && w.health.steadySince.IsZero() {
		w.health.steadySince = now
	}
	short := w.health.lacks.capacity && w.health.lacks.live
	if !short || members == "" || members != w.members {
		w.health.shortSince = time.Time{}
	}
	if short && members != "" && w.health.shortSince.IsZero() {
		w.health.shortSince = now
	}
	w.members = members
}

func (w *waiting) updateBreach(health map[string]traffic.Health, now time.Time) {
	if !w.watch {
		return
	}
	lacks := w.limits.shortfalls(w.stage.watch, health)
	w.health.observeEvidence(lacks.unhealthy, now)
	switch {
	case lacks.text == "" && !w.health.breachSince.IsZero():
		w.health.breachSince = time.Time{}
		w.monitor.report.emit(Event{Kind: HealthRecovered})
	case lacks.text != "" && w.health.breachSince.IsZero():
		w.health.breachSince = now
		w.monitor.report.emit(Event{Kind: HealthDegraded, Text: lacks.text})
	}
	w.health.breach = lacks
}

// updateSource looks for entry points on which the giving side has no registered target. Two
// reads in a row, at least sourceProof apart, must show it, so that one odd answer moves
// nothing.
func (w *waiting) updateSource(health map[string]traffic.Health, now time.Time) {
	w.health.sourceEmpty = false
	w.health.readyForAll = w.stage.advance != nil && w.limits.shortfalls(w.stage.advance, health).text == ""
	for _, x := range w.stage.source {
		since, before := w.emptySince[x.entry]
		switch {
		case !x.isEmpty(health):
			delete(w.emptySince, x.entry)
		case before && now.Sub(since) >= sourceProof:
			w.health.sourceEmpty = true
			w.warnSource(x)
		default:
			if !before {
				since, w.emptySince[x.entry] = now, now
			}
			if soon := since.Add(sourceProof); soon.Before(w.health.nextRead) {
				w.health.nextRead = soon
			}
		}
	}
}

// warnSource reports a giving side without registered targets, once per stage.
func (w *waiting) warnSource(x outgoing) {
	text := fmt.Sprintf("%s (%s): no registered targets", strings.Join(x.environments, ", "), x.entry)
	if w.reported[x.entry] {
		return
	}
	w.reported[x.entry] = true
	w.monitor.report.emit(Event{Kind: SourceEmpty, Text: text})
	w.monitor.report.warn(text + " during the shift, while it still had traffic")
}

// nextPoll returns the pause before the next read. It doubles up to maxPollInterval, but
// is at most a third of SteadyFor and BreachFor where these apply.
func (w *waiting) nextPoll() time.Duration {
	poll := w.poll
	w.poll = min(2*w.poll, maxPollInterval)
	if w.steady && w.limits.SteadyFor > 0 {
		poll = min(poll, max(w.limits.SteadyFor/3, minPollInterval))
	}
	if w.watch && w.limits.BreachFor > 0 {
		poll = min(poll, max(w.limits.BreachFor/3, minPollInterval))
	}
	return poll
}

// warnUnchecked warns about groups whose health checks are disabled.
func (m *monitor) warnUnchecked(gaining []incoming, health map[string]traffic.Health) {
	for _, x := range gaining {
		if health[x.group].Count(traffic.Unchecked) > 0 {
			m.report.warn(x.environment + " (" + x.entry + "): health checks are disabled, so its targets count as healthy")
		}
	}
}

// incoming is a group that gains traffic, with the share that its health must suffice for.
type incoming struct {
	environment string
	entry       string
	group       string
	share       shift.Share
	live        bool     // it had traffic when the shift started, so its targets are not just starting
	serving     []string // groups that serve the entry point at the rollback target
}

// sourceProof is for how long reads must show no registered targets.
const sourceProof = time.Second

// outgoing is the giving side of an entry point: the groups that have traffic and lose it.
type outgoing struct {
	entry        string
	environments []string
	groups       []string
}

// isEmpty reports whether no group has a registered target. A target that is draining is
// deregistered and gets no new requests. One that is unhealthy is registered: where all are,
// ELB sends them the requests nevertheless.
func (x outgoing) isEmpty(health map[string]traffic.Health) bool {
	return !slices.ContainsFunc(x.groups, func(group string) bool {
		h, read := health[group]
		return !read || h.Count(traffic.Draining) < len(h.Targets)
	})
}

// healthGroups returns the ids of the groups whose health the stage reads, sorted.
func (w *waiting) healthGroups() []string {
	groups := groupsOf(w.required())
	for _, x := range w.stage.source {
		groups = append(groups, x.groups...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// groupsOf returns the ids of the groups and of those that they are measured against,
// sorted.
func groupsOf(gaining []incoming) []string {
	var groups []string
	for _, x := range gaining {
		groups = append(groups, x.group)
		groups = append(groups, x.serving...)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// shortage is what groups lack; the zero shortage is nothing.
type shortage struct {
	text      string
	unhealthy bool // one lacks it because of unhealthy targets, which is evidence about the version
	capacity  bool // only CapacityPercent requires more
	live      bool // all that lack it are live
}

// shortfalls returns what the groups lack.
func (s HealthSettings) shortfalls(gaining []incoming, health map[string]traffic.Health) shortage {
	all := shortage{capacity: true, live: true}
	without := s
	without.CapacityPercent = 0
	for _, x := range gaining {
		lacks := s.shortfall(x, health)
		all.text = joinText(all.text, lacks)
		all.unhealthy = all.unhealthy || lacks != "" && health[x.group].Count(traffic.Unhealthy) > 0
		all.capacity = all.capacity && without.shortfall(x, health) == ""
		all.live = all.live && (x.live || lacks == "")
	}
	if all.text == "" {
		return shortage{}
	}
	return all
}

// shortfall returns why the health of a group does not suffice for its share; empty if it
// does. Only healthy and unhealthy targets count, and those of unknown health as not healthy;
// draining, unused and initial ones are ignored. One target suffices where the number of
// targets says nothing about capacity.
func (s HealthSettings) shortfall(x incoming, health map[string]traffic.Health) string {
	h := health[x.group]
	healthy, unhealthy := h.Serving(), h.Count(traffic.Unhealthy)+h.Count(traffic.Unknown)
	switch need, of := s.capacity(x, health); {
	case len(h.Targets) == 0:
		return fmt.Sprintf("%s (%s): no targets", x.environment, x.entry)
	case !h.CountsCapacity() && healthy > 0 && unhealthy == 0:
		return ""
	case healthy < max(s.MinHealthyTargets, 1):
		return fmt.Sprintf("%s (%s): %s, at least %d required", x.environment, x.entry, h, max(s.MinHealthyTargets, 1))
	case float64(healthy)*100 < s.MinHealthyPercent*float64(healthy+unhealthy):
		return fmt.Sprintf("%s (%s): %s, at least %g %% required", x.environment, x.entry, h, s.MinHealthyPercent)
	case float64(healthy) < need-1e-9: // products of percents are not exact
		return fmt.Sprintf("%s (%s): %s, at least %g required for %s of the traffic, which %d healthy targets serve now (health.capacity_percent = %g)",
			x.environment, x.entry, h, math.Ceil(need-1e-9), x.share, of, s.CapacityPercent)
	}
	return ""
}

// capacity returns how many healthy targets the share requires: CapacityPercent of the
// share of the healthy targets that serve the entry point now, and how many these are. It
// requires none of groups without a number that could be compared.
func (s HealthSettings) capacity(x incoming, health map[string]traffic.Health) (need float64, serving int) {
	for _, group := range x.serving {
		if !health[group].CountsCapacity() {
			return 0, 0
		}
		serving += health[group].Serving()
	}
	return s.CapacityPercent / 100 * x.share.Percent() / 100 * float64(serving), serving
}

// membership identifies the set of targets, so that changes of it show. It is empty while
// a target is initial.
func membership(gaining []incoming, health map[string]traffic.Health) string {
	var ids []string
	for _, x := range gaining {
		for _, t := range health[x.group].Targets {
			switch t.State {
			case traffic.Initial:
				return ""
			case traffic.Draining: // no longer a member
			default:
				ids = append(ids, x.group+" "+t.ID)
			}
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, "\n")
}
