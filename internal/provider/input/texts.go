package input

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Number formats a number without trailing zeros.
func Number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// misuse is an invalid value of one attribute.
type misuse struct {
	diag.Diagnostic
	at    path.Path
	text  string
	facts []Fact
}

// Misuse is an invalid value of one attribute.
func Misuse(at path.Path, detail string, facts ...Fact) diag.Diagnostic {
	return misuse{diag.NewAttributeErrorDiagnostic(at, "Invalid "+PathText(at), detail+FactLines(facts)), at, detail, facts}
}

// Path implements diag.DiagnosticWithPath.
func (m misuse) Path() path.Path { return m.at }

// Equal implements diag.Diagnostic.
func (m misuse) Equal(other diag.Diagnostic) bool {
	o, ok := other.(misuse)
	return ok && m.Diagnostic.Equal(o.Diagnostic)
}

// About adds a fact to an error that Misuse returned; others stay as they are.
func About(d diag.Diagnostic, fact Fact) diag.Diagnostic {
	m, ok := d.(misuse)
	if !ok {
		return d
	}
	return Misuse(m.at, m.text, append(slices.Clip(m.facts), fact)...)
}

func unreadableDuration(at path.Path, text string) diag.Diagnostic {
	return Misuse(at, `It is not a duration. Use a number with a unit, such as "30s", "10m" or "1h30m".`, Fact{"Value", strconv.Quote(text)})
}

func negativeDuration(at path.Path, text string) diag.Diagnostic {
	return Misuse(at, `It is negative. Use a duration of "0s" or more.`, Fact{"Value", strconv.Quote(text)})
}

func zeroDuration(at path.Path) diag.Diagnostic {
	return Misuse(at, `It is zero. Use a duration above zero, such as "10s".`)
}

func unknownChoice(at path.Path, text string, among []string) diag.Diagnostic {
	return Misuse(at, fmt.Sprintf("It is not a valid value. Use one of %s.", Quoted(among)), Fact{"Value", strconv.Quote(text)})
}

func integerOutOfRange(at path.Path, n int64, low int) diag.Diagnostic {
	return Misuse(at, fmt.Sprintf("It is out of range. Use a whole number from %d to 1000000.", low), Fact{"Value", strconv.FormatInt(n, 10)})
}

func percentOutOfRange(at path.Path, n, low float64) diag.Diagnostic {
	return Misuse(at, fmt.Sprintf("It is out of range. Use a percentage from %s to 100.", Number(low)), Fact{"Value", Number(n)})
}

// NullElement is a null element of a map or list.
func NullElement(at path.Path) diag.Diagnostic {
	return Misuse(at, "It is null. Set a value or remove the element.")
}

func emptyElement(at path.Path) diag.Diagnostic {
	return Misuse(at, "It is empty. Set a value or remove the element.")
}

// severalBlocks is a second block of which Terraform allows one.
func severalBlocks(at path.Path) diag.Diagnostic {
	return Misuse(at, "There can be only one such block. Remove the others.")
}

// unusableName is the name of an environment or entry point, often a key.
func unusableName(at path.Path, name, fault string) diag.Diagnostic {
	return Misuse(at, "The name cannot be used. "+fault+" Use a name such as blue or web.", Fact{"Name", strconv.Quote(name)})
}

// Quoted returns the words in quotes, separated by commas.
func Quoted(words []string) string {
	var all []string
	for _, word := range words {
		all = append(all, strconv.Quote(word))
	}
	return strings.Join(all, ", ")
}
