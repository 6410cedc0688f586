package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// gateWarnings warns about gates that cannot be evaluated on this machine, such as a
// missing command. It is not part of the schedule: Terraform requires the schedule to
// be equal at plan and apply, and the apply may run elsewhere or after the command was
// built. The apply checks again before it writes anything, and fails.
func (b *backend) gateWarnings(ctx context.Context, gates []*desiredGate) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, g := range gates {
		if g.absent == nil {
			continue
		}
		if err := g.absent(b.dependencies(ctx, "")); err != nil {
			diags.Append(gateAbsent(g.terms.Name, err))
		}
	}
	return diags
}
