package gates

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func unusableName(at path.Path, name, fault string) diag.Diagnostic {
	return input.Misuse(at, "The name cannot be used. "+fault+" Use a name such as smoke.", input.Fact{"Name", strconv.Quote(name)})
}

func sameName(at, first path.Path) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It is also the name at %s. Give each gate a name of its own.", input.PathText(first)))
}

func gateWithoutKind(at path.Path, kinds []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The gate has no kind. Add exactly one of the blocks %s.", input.Quoted(kinds)))
}

func gateOfTwoKinds(at path.Path, kinds []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The gate has several kinds: %s. Leave one of these blocks, and add a separate gate for each of the others.", input.Quoted(kinds)))
}

func stepsAndWhen(at path.Path, when shift.When) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The gate also has when = %q, but a gate with at_percent is evaluated only at those steps. Remove one of the two.", when))
}

func badPercent(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return input.Misuse(at, "It has more than one decimal. Use at most one.", input.Fact{"Value", input.Number(percent)})
	}
	return input.Misuse(at, "It is out of range. Use the percent of a step, or 100 for the bake.", input.Fact{"Value", input.Number(percent)})
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
