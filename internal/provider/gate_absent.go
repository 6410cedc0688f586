package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// absences warns of gates that lack something on this machine, such as a
// command that is not there. It is no line of the schedule, which must read the
// same when it is applied, be it elsewhere or after something has been built: a
// text that differs then is refused by Terraform as an error of the provider.
// The apply looks again before it writes anything, and refuses.
func (b *backend) absences(ctx context.Context, gates []*desiredGate) diag.Diagnostics {
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
