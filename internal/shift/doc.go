// Package shift computes shifts of traffic: shares and weights, the steps between
// two sets of weights, what an apply does (Decide), and the schedule in the plan. It
// is pure: no context, no clock, no I/O.
//
// The states of a switch, and the kinds of schedule that lead from one to another:
//
//	           Forward: steps under gates, 100 %, bake, settle
//	stable ──────────────────────────────────────────────────────▶ stable (new)
//	 ▲ ▲ ▲                   │                                        ▲   │
//	 │ │ │  same apply       │ a gate or health failed, interrupted   │   │
//	 │ │ └───────────────────┤                                        │   │
//	 │ │  rollback           │ or: stopped, abandoned,                │   │
//	 │ │                     ▼ external change                        │   │
//	 │ │  Rollback         split                                      │   │
//	 │ └─────────────────────┴────────────────────────────────────────┘   │
//	 │                         Forward: evaluate the split,               │
//	 │                         then the steps above it                    │
//	 └────────────────────────────────────────────────────────────────────┘
//	           Revert, within rollback_window: one write per route
//
// NoChange, Rejected and ExternalChange move no traffic. Shares are in tenths of a
// percent, the finest that a route can be given.
package shift
