package input

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// Number formats a number without trailing zeros.
func Number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// Misuse is an invalid value of one attribute.
func Misuse(at path.Path, detail string, facts ...Fact) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Invalid "+at.String(), detail+FactLines(facts))
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

// EmptyKey is an element of a map with an empty key.
func EmptyKey(at path.Path) diag.Diagnostic {
	return Misuse(at, "Its key is empty. Use a name as the key.")
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
