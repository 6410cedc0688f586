package gates

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// approvalTimeout is the default of approval.timeout.
const approvalTimeout = 24 * time.Hour

// approvalKind waits for a person.
func approvalKind() kind {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	return kind{
		name:         "approval",
		inconclusive: approvalTimeout,
		description: "Waits until a person approves the step with `bluegreen approve`, or ends the shift with `bluegreen abort`. It is inconclusive until then. An approval counts for the step at which it was given. " +
			"It needs the record of the shift, and everybody who may set the tag `bluegreen:request/approve` of the route can approve. To ask another system, use `webhook`.",
		arguments: map[string]schema.Attribute{
			"timeout": text("How long to wait after the hold of the step, as a duration above zero. Default: `24h`."),
			"on_timeout": text("What to do then: `rollback` (without rejecting the version), `continue` (with a warning) or `stop` (leave the weights as they are and fail the apply). " +
				"Default: `rollback`."),
			"message": text("What to check before approving, shown where the approval is asked for. Default: none."),
		},
		read: readApproval,
	}
}

func readApproval(r reader, at path.Path, a map[string]attr.Value) configuration {
	g := gate.Approval{Message: r.Text(a["message"])}
	return configuration{
		build:       func(gate.Dependencies) (rollout.Gate, error) { return g, nil },
		passLasts:   true,
		approval:    true,
		timeout:     r.Positive(at.AtName("timeout"), a["timeout"], approvalTimeout),
		unknown:     unknown(a["timeout"]),
		onTimeout:   onTimeout(r.Choice(at.AtName("on_timeout"), a["on_timeout"], "rollback", "continue", "stop")),
		withoutLive: &fault{at.AtName("message"), "A readiness check is no shift that a person could approve. Add the gate to the switch."},
	}
}

func onTimeout(choice string) rollout.Status {
	switch choice {
	case "continue":
		return rollout.Pass
	case "stop":
		return rollout.Inconclusive
	default:
		return rollout.Fail
	}
}

// approvalTerms replaces the settings of an approval by those in its block, and reports the
// arguments of the gate that would have no effect.
func (g *Gate) approvalTerms(r reader, at path.Path, attrs map[string]attr.Value) {
	if !g.approval {
		return
	}
	g.Terms.InconclusiveTimeout, g.onInconclusive = g.timeout, g.onTimeout
	for _, name := range []string{"inconclusive_timeout", "on_inconclusive_timeout", "failure_limit", "consecutive_error_limit", "initial_delay", "interval", "timeout"} {
		if !input.Missing(attrs[name]) {
			r.Add(input.Misuse(at.AtName(name), "It has no effect on an approval. Use timeout and on_timeout in the block approval."))
		}
	}
}

// Approvals returns the paths of the names of gates that people approve.
func Approvals(gates []*Gate) []path.Path {
	var all []path.Path
	for _, g := range gates {
		if g.approval {
			all = append(all, g.nameAt)
		}
	}
	return all
}
