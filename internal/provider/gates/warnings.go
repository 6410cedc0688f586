package gates

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

// Warnings warns about gates that cannot be evaluated on this machine, such as a
// missing command. It is not part of the schedule: Terraform requires the schedule to
// be equal at plan and apply, and the apply may run elsewhere or after the command was
// built. The apply checks again before it writes anything, and fails.
func Warnings(deps gate.Dependencies, gates []*Gate) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, g := range gates {
		if g.absent == nil {
			continue
		}
		if err := g.absent(deps); err != nil {
			diags.Append(gateAbsent(g.Terms.Name, err))
		}
	}
	return diags
}
