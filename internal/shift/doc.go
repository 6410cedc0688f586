// Package shift is the arithmetic of moving traffic: shares and weights, the
// steps between two settings, what kind of move is due, and the schedule that
// a reviewer reads in the plan. It is pure: no context, no clock, no I/O.
//
// What a switch may be found in, and what leads where:
//
//	            adopt                    step, step, ... 100
//	(nothing) ───────▶ stable ─────────────────────────────────▶ goal
//	                     ▲  ▲                 │                    │
//	                     │  └── way back ─────┤ a gate, health,    │ bake, settle,
//	                     │      (one write)   │ an interrupt       │ detach
//	                     │                    ▼                    ▼
//	                     │              split (killed,        new stable
//	                     │              stopped, a hand)      old: previous
//	                     │                    │
//	                     └── wanted again ────┴── judged, then the steps above it
//
// A share is kept in tenths of a percent, the finest that a weight of ELB can
// say (999 to 1).
package shift
