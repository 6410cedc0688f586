package rollout

import "github.com/bluegreen/terraform-provider-bluegreen/internal/shift"

// progress is how far a shift is. It decides whether there is anything to roll back.
type progress string

// The values of progress, in order.
const (
	notRead    progress = "not read"    // the routes do not allow the shift, or could not be read
	notStarted progress = "not started" // nothing was written
	started    progress = "started"
	completed  progress = "completed" // at the desired weights; only attach and detach are left
)

// routesSeen is what a read has shown of all routes.
type routesSeen string

// The values of routesSeen.
const (
	routesUnread    routesSeen = ""
	routesElsewhere routesSeen = "not at the rollback target" // or unknown: a write has no known result
	routesRestored  routesSeen = "at the rollback target"
	routesChanged   routesSeen = "changed externally"
	routesReturned  routesSeen = "returned externally" // to the rollback target, by somebody else
	routesGone      routesSeen = "do not exist"        // none of them
)

// healthSeen is what a read has shown of the health of the rollback targets.
type healthSeen string

// The values of healthSeen.
const (
	healthUnread healthSeen = ""
	healthGood   healthSeen = "healthy" // or not known, which never prevents a rollback
	healthNone   healthSeen = "unhealthy"
)

// facts is everything that decides what is done about the traffic after a failure.
type facts struct {
	progress progress
	kind     shift.Kind
	cause    Cause

	routes routesSeen
	target healthSeen

	moved   bool // this run wrote other weights
	back    bool // it rolled an unfinished shift back before anything else
	repairs bool // it only undoes a partial external change
	exposed bool // the gaining environments have had traffic, from this or an earlier apply

	stopOnFailure   bool
	stopOnInterrupt bool
	gateStops       bool // on_inconclusive_timeout = "inconclusive" of the gate that failed
}

// action is what the sequence does next about a failure.
type action string

// The actions.
const (
	readRoutes  action = "read routes" // before it can be decided
	readTargets action = "read health" // before it can be decided
	rollBack    action = "roll back"
	refresh     action = "read all"     // for the result
	keepStates  action = "read unknown" // for the result: routes whose last write was not read back
)

// ending is what is done about the traffic after a failure, and about the version.
type ending struct {
	next        action
	disposition Disposition // with rollBack: if that succeeds
	rejects     bool        // the version becomes rejected
}

// decided reports whether the facts suffice.
func (e ending) decided() bool { return e.disposition != "" }

// ending decides. It is the only place that does: the sequence reads what is missing, and
// acts. testdata/golden/TestFacts_ending.txt has it as a table.
func (f facts) ending() ending {
	switch {
	case f.progress == notRead && f.cause == ExternalChange: // since the plan
		return ending{keepStates, NotOverridden, false}
	case f.progress == notRead:
		return ending{keepStates, Unchanged, false}
	case f.progress == notStarted:
		return f.beforeStart()
	case f.cause == RolledBackByUser:
		return f.byUser()
	case f.cause == LeaseLost: // the apply that has the routes now decides about them
		return ending{keepStates, NotOverridden, false}
	case f.routes == routesGone:
		return ending{keepStates, NoRouteLeft, f.rejects()}
	case f.routes == routesReturned:
		// Somebody who returned all routes in mid-shift rolled it back, which rejects the
		// version as a failed gate does.
		return ending{keepStates, NotOverridden, f.exposed && !f.repairs && !f.missing()}
	case f.routes == routesChanged:
		return ending{keepStates, NotOverridden, f.rejects()}
	case f.progress == completed:
		return ending{refresh, Stopped, false} // the next apply repeats what is left
	case f.kind == shift.Rollback: // a rollback is not rolled back
		switch f.cause {
		case NotHealthy:
			return ending{keepStates, RollbackUnhealthy, false}
		case RouteMissing: // the others are at the rollback target
			return ending{keepStates, RolledBack, false}
		default:
		}
		return ending{keepStates, RollbackFailed, false}
	case f.routes == routesUnread:
		return ending{next: readRoutes}
	case f.routes == routesRestored && !f.moved:
		return ending{refresh, Unchanged, false}
	case f.routes == routesRestored:
		return ending{refresh, RolledBack, f.rejects()}
	case f.stopsInPlace():
		return ending{refresh, Stopped, false}
	case f.target == healthUnread:
		return ending{next: readTargets}
	case f.target == healthNone:
		return ending{refresh, RollbackUnhealthy, false}
	}
	return ending{rollBack, RolledBack, f.rejects()}
}

// beforeStart is the ending of a shift that a decision or a preflight gate prevented.
// Preflight gates take time, in which the routes may change.
func (f facts) beforeStart() ending {
	done := Unchanged
	if f.back {
		done = RolledBack
	}
	switch f.cause {
	case VersionRejected, MovedExternally, OtherSwitch, RouteMissing:
		return ending{keepStates, done, false}
	case RolledBackByUser:
		return ending{refresh, done, f.rejects()}
	default:
		return ending{refresh, done, false}
	}
}

// byUser is the ending of a shift that somebody rolls back with a command. The command has
// returned the traffic, or sent it elsewhere, and nothing is written. Where it has done neither,
// it failed, and this run returns the traffic.
func (f facts) byUser() ending {
	switch {
	case f.routes == routesGone:
		return ending{keepStates, NoRouteLeft, f.rejects()}
	case f.routes == routesReturned && !f.moved:
		return ending{keepStates, Unchanged, f.rejects()}
	case f.routes == routesReturned:
		return ending{keepStates, RolledBack, f.rejects()}
	case f.routes == routesChanged:
		return ending{keepStates, NotOverridden, f.rejects()}
	case f.target == healthUnread:
		return ending{next: readTargets}
	case f.target == healthNone:
		return ending{refresh, RollbackUnhealthy, f.rejects()}
	}
	return ending{rollBack, RolledBack, f.rejects()}
}

// stopsInPlace reports whether the failure stops the shift instead of rolling it back, as
// configured. An interrupted revert always stops: its rollback target is the version
// that the user reverts from.
func (f facts) stopsInPlace() bool {
	switch f.cause {
	case Interrupted:
		return f.stopOnInterrupt || f.kind == shift.Revert
	case Aborted, AbortRequested:
		return f.kind == shift.Revert
	default:
	}
	return f.gateStops || f.stopOnFailure && f.exposed
}

// missing reports whether a route or group does not exist, which says nothing about the
// version.
func (f facts) missing() bool { return f.cause == RouteMissing || f.cause == GroupMissing }

// rejects reports whether the failure shows that the version is bad: it is evidence, and
// the version had traffic. A person who rolls it back needs none.
func (f facts) rejects() bool {
	switch f.cause {
	case RolledBackByUser:
		return !f.repairs
	case GateFailed, HealthFailed, NotHealthy:
		return f.exposed && !f.repairs
	case AbortRequested: // which says that the version is bad
		return !f.repairs
	default:
		return false
	}
}
