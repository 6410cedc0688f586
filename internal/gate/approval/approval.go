// Package approval is the gate that waits until a person approves a step of a shift, by a request
// beside the record of the shift.
package approval

import (
	"context"
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Gate is inconclusive until somebody approves the step.
type Gate struct {
	Message string // what to check before approving; empty: nothing
}

// Evaluate implements rollout.Gate.
func (g Gate) Evaluate(_ context.Context, in rollout.GateInput) rollout.Verdict {
	if in.Approved != "" {
		return rollout.Verdict{Status: rollout.Pass, Detail: "approved by " + in.Approved}
	}
	text := "waiting for approval"
	if message := strings.TrimSpace(g.Message); message != "" {
		text += ": " + strings.TrimSuffix(message, ".")
	}
	route := "ARN"
	if len(in.Incoming) > 0 && len(in.Incoming[0].Routes) > 0 {
		route = in.Incoming[0].Routes[0]
	}
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("%s. To approve: bluegreen approve --gate %s --route %s", text, quoted(in.Gate), route)}
}

// quoted returns a name as an argument of a POSIX shell.
func quoted(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
