package gate_test

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

func TestApproval(t *testing.T) {
	t.Parallel()
	in := canaryInput()
	wantVerdict(t, gate.Approval{}.Evaluate(t.Context(), in), rollout.Inconclusive)
	in.Gate = "ann's go, or no go"
	wantVerdict(t, gate.Approval{Message: "Are the orders complete?"}.Evaluate(t.Context(), in), rollout.Inconclusive)
	wantVerdict(t, gate.Approval{Message: " Check the orders. "}.Evaluate(t.Context(), rollout.GateInput{Gate: "go"}), rollout.Inconclusive)
	in.Approved = "ann on laptop"
	wantVerdict(t, gate.Approval{Message: "Are the orders complete?"}.Evaluate(t.Context(), in), rollout.Pass)
}
