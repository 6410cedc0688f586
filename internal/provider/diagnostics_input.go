package provider

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Texts about an invalid configuration, one function per cause. Nothing has been
// called and nothing has changed when they are reported.

// misuse is an invalid value of one attribute.
func misuse(at path.Path, detail string, facts ...fact) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Invalid "+at.String(), detail+factLines(facts))
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func unreadableDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is not a duration. Use a number with a unit, such as "30s", "10m" or "1h30m".`, fact{"Value", strconv.Quote(text)})
}

func negativeDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is negative. Use a duration of "0s" or more.`, fact{"Value", strconv.Quote(text)})
}

func zeroDuration(at path.Path) diag.Diagnostic {
	return misuse(at, `It is zero. Use a duration above zero, such as "10s".`)
}

// steadyTooLong reports a steady_for that cannot be reached within the timeout.
func steadyTooLong(at path.Path, steady, timeout time.Duration) diag.Diagnostic {
	return misuse(at, "It is longer than timeout, so it could never be reached. Use a shorter steady_for or a longer timeout.",
		fact{"Steady for", schedule.FormatDuration(steady)}, fact{"Timeout", schedule.FormatDuration(timeout)})
}

func unknownChoice(at path.Path, text string, among []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is not a valid value. Use one of %s.", quoted(among)), fact{"Value", strconv.Quote(text)})
}

func integerOutOfRange(at path.Path, n int64, low int) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is out of range. Use a whole number from %d to 1000000.", low), fact{"Value", strconv.FormatInt(n, 10)})
}

func percentOutOfRange(at path.Path, n, low float64) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is out of range. Use a percentage from %s to 100.", number(low)), fact{"Value", number(n)})
}

func nullElement(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Set a value or remove the element.")
}

func emptyElement(at path.Path) diag.Diagnostic {
	return misuse(at, "It is empty. Set a value or remove the element.")
}

func emptyKey(at path.Path) diag.Diagnostic {
	return misuse(at, "Its key is empty. Use a name as the key.")
}

func noRouterBlock(at path.Path) diag.Diagnostic {
	return misuse(at, "The block is missing. Add it with the routes that the switch shifts.")
}

func noRoutes(at path.Path) diag.Diagnostic {
	return misuse(at, "It is empty. Set the ARN of at least one listener or listener rule.")
}

func sameRouteTwice(at, first path.Path, arn string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The same route is already listed at %s. List each route once.", first), fact{"Route", arn})
}

// unusableName is the name of an environment or entry point, often a key.
func unusableName(at path.Path, name, fault string) diag.Diagnostic {
	return misuse(at, "The name cannot be used. "+fault+" Use a name such as blue or web.", fact{"Name", strconv.Quote(name)})
}

// malformedAccount is an account id that no account has.
func malformedAccount(at path.Path, id string) diag.Diagnostic {
	return misuse(at, "It is not an AWS account ID. Use its 12 digits as a string, with leading zeros.", fact{"Value", strconv.Quote(id)})
}

// unusableID is a route or group that its platform cannot use.
func unusableID(at path.Path, id, fault string) diag.Diagnostic {
	return misuse(at, fault, fact{"Value", strconv.Quote(id)})
}

func stickinessOutOfRange(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is out of range. Use whole seconds from "1s" to "168h" (7 days), or "0s" to turn stickiness off.`, fact{"Value", strconv.Quote(text)})
}

func noEnvironments(at path.Path) diag.Diagnostic {
	return misuse(at, "It has no environment. Add at least one.")
}

func noTargetGroups(at, routes path.Path) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is missing. Set a target group for each entry point in %s.", routes))
}

func groupMissing(at path.Path, entry string, routes path.Path) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has no target group for the entry point %q. Add one, or remove the entry point from %s.", entry, routes))
}

func groupTooMany(at path.Path, entry string, w *desired) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("There is no entry point %q in %s. Use one of %s, or remove the target group.", entry, w.routesAt, quoted(w.entries)))
}

func sameGroupTwice(at, first path.Path, arn string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The same target group is already used at %s. Use a separate target group for each environment.", first), fact{"Target group", arn})
}

func activeAndWeights() diag.Diagnostic {
	return misuse(path.Root("weights"), "Both active and weights are set. Use active to send all traffic to one environment, or weights for a lasting split.")
}

func neitherActiveNorWeights() diag.Diagnostic {
	return misuse(path.Root("active"), "Neither active nor weights is set. Set active to send all traffic to one environment, or weights for a lasting split.")
}

func activeAgainstWeights() diag.Diagnostic {
	return misuse(path.Root("weights"), "It contradicts active. Remove both from ignore_changes, or list both there to leave the traffic as it is.")
}

func noSuchEnvironment(at path.Path, name string, among []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("There is no environment %q. Use one of %s, or add it to environments.", name, quoted(among)))
}

func weightMissing(at path.Path, name string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has no entry for the environment %q. List every environment; use 0 for those without traffic.", name))
}

func badShare(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return misuse(at, "It has more than one decimal. Use at most one.", fact{"Value", number(percent)})
	}
	return misuse(at, "It is out of range. Use a percentage from 0 to 100.", fact{"Value", number(percent)})
}

func wrongSum(at path.Path, percent map[string]float64) diag.Diagnostic {
	var sum shift.Share
	for _, p := range percent {
		share, _ := shift.ShareOf(p)
		sum += share
	}
	return misuse(at, "The weights do not sum to 100.", fact{"Sum", number(sum.Percent())})
}

func tooManyGroups(at path.Path, limits string, err error) diag.Diagnostic {
	return misuse(at, "The shift would need more than "+limits+". Shift the traffic to fewer environments first.", fact{"Cause", err.Error()})
}

func stepWithoutPercent(at path.Path) diag.Diagnostic {
	return misuse(at, "It has no percent. Set the part of the shift that is done at this step, such as percent = 10.")
}

func stepWithoutHold(at path.Path) diag.Diagnostic {
	return misuse(at, `It has no hold. Set how long to hold the step, such as hold = "5m", or "0s" to continue as soon as the gates pass.`)
}

func badStep(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return misuse(at, "It has more than one decimal. Use at most one.", fact{"Value", number(percent)})
	}
	return misuse(at, "It is out of range. Use a percentage above 0 and below 100. The step at 100 is always added.", fact{"Value", number(percent)})
}

func stepsNotRising(at path.Path, step, before shift.Share) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is not above the percent of the previous step, %s. List the steps in ascending order.", number(before.Percent())),
		fact{"Value", number(step.Percent())})
}

func unknownPreset(at path.Path, name string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("CodeDeploy has no such predefined deployment configuration for ECS or Lambda. Use one of %s, with or without the prefix CodeDeployDefault. and the platform.",
		quoted(shift.Presets())), fact{"Value", strconv.Quote(name)})
}

func noSuchGate(at path.Path, name string, among []string) diag.Diagnostic {
	if len(among) == 0 {
		return misuse(at, fmt.Sprintf("There is no gate %q. Add it to gates.", name))
	}
	return misuse(at, fmt.Sprintf("There is no gate %q. Use one of %s, or add it to gates.", name, quoted(among)))
}

func stepGateElsewhere(at path.Path, name string, when shift.When) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("Gate %q has when = %q, but a gate that a step lists is evaluated only at such steps. Remove its when, or remove the gate from the step.", name, when))
}

func nullGate(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Remove the gate from the map instead.")
}

func gateWithoutKind(at path.Path, kinds []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has no kind. Set exactly one of %s.", quoted(kinds)))
}

func gateOfTwoKinds(at path.Path, kinds []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has several kinds: %s. Set exactly one, and use a separate gate for each of the others.", quoted(kinds)))
}

func unreadableURL(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is not an http or https URL. Use a URL such as "http://127.0.0.1:4566".`, fact{"Value", strconv.Quote(text)})
}

// wrongArgument reports a gate's own error about one of its arguments. The value is
// left out, because it may be a secret.
func wrongArgument(at path.Path, err error) diag.Diagnostic {
	text := err.Error()
	return misuse(at, strings.ToUpper(text[:1])+sentence(text[1:]))
}

func keyWithout(at path.Path, other string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It requires aws.%s. Set both, or neither to use the environment.", other))
}

func twoRoles(at path.Path) diag.Diagnostic {
	return misuse(at, "It conflicts with aws.assume_role. Remove one of them.")
}

func roleDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is out of range. Use a duration from "15m" to "12h".`, fact{"Value", strconv.Quote(text)})
}

func noTokenFile(at path.Path) diag.Diagnostic {
	return misuse(at, "It is missing. Set the path of the token file, or set the environment variable "+tokenFileVariable+".")
}

func malformedImport(id, part string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id),
		fmt.Sprintf("%q is not an entry point with its routes. Use the form web=<ARN>, web=<ARN>+<ARN> for several routes, or web=<ARN>,api=<ARN> for several entry points.", part))
}

func importNotARoute(id, route, fault string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id), fmt.Sprintf("%q cannot be used. %s", route, fault))
}

func importTwice(id, arn string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id), "A route is listed twice. List each once."+factLines([]fact{{"Route", arn}}))
}

func quoted(words []string) string {
	var all []string
	for _, word := range words {
		all = append(all, strconv.Quote(word))
	}
	return strings.Join(all, ", ")
}

// planTooOld refuses a plan without steps that is applied after rollback_window.
// A plan without a refresh takes the time of the last one, so only a refresh helps.
func planTooOld(window time.Duration) diag.Diagnostic {
	return errorDetail{
		traffic: "not read in this run. Nothing was changed.",
		cause: fmt.Sprintf("The plan reverts to the previous version without steps, but the rollback_window of %s is over.",
			schedule.FormatDuration(window)),
		action: "Plan again without -refresh=false. The new plan takes the steps.",
	}.diagnostic("Cannot apply the plan of the switch")
}
