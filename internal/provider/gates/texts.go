package gates

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

func nullGate(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It is null. Remove the gate from the map instead.")
}

func gateWithoutKind(at path.Path, kinds []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It has no kind. Set exactly one of %s.", input.Quoted(kinds)))
}

func gateOfTwoKinds(at path.Path, kinds []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It has several kinds: %s. Set exactly one, and use a separate gate for each of the others.", input.Quoted(kinds)))
}

// wrongArgument reports a gate's own error about one of its arguments. The value is
// left out, because it may be a secret.
func wrongArgument(at path.Path, err error) diag.Diagnostic {
	text := err.Error()
	return input.Misuse(at, strings.ToUpper(text[:1])+input.Sentence(text[1:]))
}

// gateAbsent warns at plan; the apply reports it as an error.
func gateAbsent(name string, err error) diag.Diagnostic {
	return diag.NewWarningDiagnostic(fmt.Sprintf("Gate %q cannot be evaluated where this plan runs", name),
		"The apply checks it again. If it still cannot be evaluated then, no shift starts, unless the gate has dry_run = true. A rollback never waits for it."+input.FactLines(input.CauseFact(err)))
}
