package gate

import (
	"context"
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Approval is the arguments of the kind "approval", which is inconclusive until somebody approves the
// step by a request beside the record of the shift.
type Approval struct {
	Message string // what to check before approving; empty: nothing
}

// Evaluate implements rollout.Gate.
func (g Approval) Evaluate(_ context.Context, in rollout.GateInput) rollout.Verdict {
	if in.Approved != "" {
		return rollout.Verdict{Status: rollout.Pass, Detail: "approved by " + in.Approved}
	}
	text := "waiting for approval"
	if message := strings.TrimSpace(g.Message); message != "" {
		text += ": " + message
	}
	if !strings.ContainsAny(text[len(text)-1:], ".?!") {
		text += "."
	}
	route := "ARN"
	if len(in.Incoming) > 0 && len(in.Incoming[0].Routes) > 0 {
		route = in.Incoming[0].Routes[0]
	}
	return rollout.Verdict{Status: rollout.Inconclusive, Detail: fmt.Sprintf("%s To approve: %s", text, ApproveCommand(in.Gate, route))}
}

// ApproveCommand returns the command that approves a gate of a shift with this route.
func ApproveCommand(gate, route string) string {
	return fmt.Sprintf("bluegreen approve --gate %s --route %s", shellQuoted(gate), route)
}

// shellQuoted returns a name as an argument of a POSIX shell.
func shellQuoted(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
