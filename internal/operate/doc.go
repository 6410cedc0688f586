// Package operate is what the command bluegreen does: it shows shifts, returns their traffic, and
// recovers abandoned ones, without Terraform. It knows the routes, which the caller names or a
// state file has, and what shifts left beside them (traffic.Record). The writes are those of the
// engine (rollout.RollBack).
//
// Every verb returns what it did as a value that is printed as text or JSON. An error is always a
// *Problem, which has the exit code of the command.
package operate
