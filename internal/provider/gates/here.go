package gates

import (
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

// Here reports what gates lack on this machine. What may come until the apply, such as a command
// that is not built yet, is a warning, and so is everything where the plan does not ship a version:
// it must not hold up a rollback. A file that cannot be used is an error otherwise. This is not
// part of the schedule: Terraform requires the schedule to be equal at plan and apply, and the apply
// may run elsewhere. The apply checks again before it writes anything, and fails.
func Here(deps gate.Dependencies, gates []*Gate, ships bool) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, g := range gates {
		if g.absent != nil {
			if err := g.absent(deps); err != nil {
				diags.Append(gateAbsent(g.Terms.Name, err))
			}
		}
		if g.files == nil {
			continue
		}
		for _, f := range g.files() {
			if ships && !g.Terms.DryRun {
				diags.Append(input.Misuse(f.at, input.Sentence(f.text), input.Fact{"Gate", g.Terms.Name}))
			} else {
				diags.Append(gateAbsent(g.Terms.Name, errors.New(f.text)))
			}
		}
	}
	return diags
}

// Regionless reports gates that need a region, for routes that have none where the provider has none either. As in Here, it
// is an error only where the plan ships a version.
func Regionless(gates []*Gate, ships bool) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, g := range gates {
		switch f := g.regionless; {
		case f == nil:
		case ships && !g.Terms.DryRun:
			diags.Append(input.Misuse(f.at, f.text, input.Fact{"Gate", g.Terms.Name}))
		default:
			diags.Append(gateAbsent(g.Terms.Name, gate.ErrNoRegion))
		}
	}
	return diags
}

// needsRegion is the fault of a gate without a region, whose argument region is at a path.
func needsRegion(at path.Path, region attr.Value, what, instead string) *fault {
	if !input.Missing(region) {
		return nil
	}
	return &fault{at, fmt.Sprintf("%s a region. The routes of this router have none, and the provider has none where this plan runs. "+
		"Set region here%s, region in the block aws of the provider, or AWS_REGION.", what, instead)}
}
