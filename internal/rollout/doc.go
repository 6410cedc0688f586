// Package rollout runs one shift of traffic, as the controller of Argo Rollouts runs a
// rollout. A shift ends with Run; if its process dies before that, a Guardian continues with
// TakeOver, which returns the traffic with the same fleet.
//
// Run is a sequence from top to bottom: it reads the routes, decides (package shift),
// attaches the environments that gain traffic, waits until they are healthy, sets the
// weights step by step, bakes, settles, and detaches what is no longer needed. The parts:
//
//	sequence   the order of phases, and the one place that handles a failure
//	├─ desired    which states to write: pure, from the schedule and the current states
//	├─ ending     what is done about the traffic after a failure: one table, pure
//	├─ monitor    gates and health during a wait
//	│  └─ waitState.next   passed, failed, what is due, when to look next: pure
//	└─ fleet      the routes: read, write, verify, detect external changes, roll back
//
// Calls go down only. The fleet knows no gates and no steps, the monitor knows no routes.
// A phase returns a *Failure, and only the sequence acts on it: when a gate or health
// fails, or the apply is interrupted, it rolls back every route on a context of its own.
//
// # Promises
//
// No environment gains its first traffic without healthy targets. No share rises after a
// gate has failed or a rollback has started, nor while the last result of a gate is not a pass:
// passes before an error or a tolerated failure do not count. A step is done when the routes are read back
// with its weights, not when the write returns. A state that this run did not write is
// an external change, which is not overridden. Every wait has a limit, every run ends, and
// Result is what was last read, never what was planned.
//
// The package owns the interface Gate, calls traffic.Router, and reports what happens as
// events. Everything but the calls of gates and routers runs in the goroutine of Run. Time
// is plain time and context, so tests use testing/synctest.
package rollout
