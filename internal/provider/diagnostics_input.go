package provider

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// What is wrong with a configuration, one function per cause. Each says what
// was seen and what to do; nothing has been called and nothing has changed.

var routesPath = path.Root("load_balancer").AtName("routes")

// misuse is a fault of one attribute.
func misuse(at path.Path, detail string, facts ...fact) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(at, "Unable to use "+at.String(), detail+factLines(facts))
}

func number(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func unreadableDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is not a duration. Write a number with a unit, such as "30s", "10m" or "1h30m".`, fact{"Value", strconv.Quote(text)})
}

func negativeDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is negative. Write a duration of "0s" or more.`, fact{"Value", strconv.Quote(text)})
}

func zeroDuration(at path.Path) diag.Diagnostic {
	return misuse(at, `It is zero. Write a duration above zero, such as "10s".`)
}

// steadyTooLong: health could never have been steady for so long in time.
func steadyTooLong(at path.Path, steady, timeout time.Duration) diag.Diagnostic {
	return misuse(at, "Nothing could be steady for so long within the timeout. Write a shorter steady_for, or a longer timeout.",
		fact{"Steady for", shift.FormatDuration(steady)}, fact{"Timeout", shift.FormatDuration(timeout)})
}

func unknownChoice(at path.Path, text string, among []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is none of the known words. Write one of %s.", quoted(among)), fact{"Value", strconv.Quote(text)})
}

func integerOutOfRange(at path.Path, n int64, low int) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is out of range. Write a whole number from %d to 1000000.", low), fact{"Value", strconv.FormatInt(n, 10)})
}

func percentOutOfRange(at path.Path, n, low float64) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is out of range. Write a percentage from %s to 100.", number(low)), fact{"Value", number(n)})
}

func nullElement(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Give it a value, or leave it out.")
}

func emptyElement(at path.Path) diag.Diagnostic {
	return misuse(at, "It is empty. Give it a value, or leave it out.")
}

func emptyKey(at path.Path) diag.Diagnostic {
	return misuse(at, "Its name is empty. Give it a name.")
}

func noLoadBalancer() diag.Diagnostic {
	return misuse(path.Root("load_balancer"), "The block is missing. Add it, with the routes that the switch is to move.")
}

func noRoutes(at path.Path) diag.Diagnostic {
	return misuse(at, "It names no route. Give the ARN of at least one listener or listener rule.")
}

func sameRouteTwice(at, first path.Path, arn string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The same route stands at %s already. Name each route once.", first), fact{"Route", arn})
}

func notARoute(at path.Path, text string, err error) diag.Diagnostic {
	detail := "It is not the ARN of a listener or a listener rule."
	a, _ := elb.Parse(text)
	switch {
	case errors.Is(err, elb.ErrWrongKind):
		detail = fmt.Sprintf("It is the ARN of a %s. Give the ARN of a listener or a listener rule.", a.Kind)
	case errors.Is(err, elb.ErrNotApplication):
		detail = fmt.Sprintf("It belongs to a %s. Give a listener or a listener rule of an Application Load Balancer.", a.Type)
	default:
		detail += " Give one such as that of aws_lb_listener or aws_lb_listener_rule."
	}
	return misuse(at, detail, fact{"Value", strconv.Quote(text)})
}

func defaultRule(at path.Path, arn string) diag.Diagnostic {
	detail := "It is the default rule of its listener. Give the ARN of the listener instead."
	facts := []fact{{"Route", arn}}
	if a, err := elb.ParseRoute(arn); err == nil {
		if listener, ok := a.Listener(); ok {
			facts = append(facts, fact{"Listener", listener.String()})
		}
	}
	return misuse(at, detail, facts...)
}

func notAGroup(at path.Path, text string, err error) diag.Diagnostic {
	detail := "It is not the ARN of a target group. Give one such as that of aws_lb_target_group."
	if errors.Is(err, elb.ErrWrongKind) {
		a, _ := elb.Parse(text)
		detail = fmt.Sprintf("It is the ARN of a %s. Give the ARN of a target group.", a.Kind)
	}
	return misuse(at, detail, fact{"Value", strconv.Quote(text)})
}

func stickinessOutOfRange(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is out of range. Write whole seconds from "1s" to "168h" (7 days), or "0s" to switch stickiness off.`, fact{"Value", strconv.Quote(text)})
}

func noEnvironments(at path.Path) diag.Diagnostic {
	return misuse(at, "It names no environment. Add at least one.")
}

func noTargetGroups(at, routes path.Path) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is missing. Give the environment a target group for each entry point of %s.", routes))
}

func groupMissing(at path.Path, entry string, routes path.Path) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has no target group for the entry point %q. Add one, or take the entry point out of %s.", entry, routes))
}

func groupTooMany(at path.Path, entry string, w *desired) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("There is no entry point %q in %s. Use one of %s, or take the target group out.", entry, w.routesAt, quoted(w.entries)))
}

func sameGroupTwice(at, first path.Path, arn string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The same target group stands at %s already. Give each environment target groups of its own.", first), fact{"Target group", arn})
}

func activeAndWeights() diag.Diagnostic {
	return misuse(path.Root("weights"), "Both active and weights are set. Keep one: active for all the traffic, weights for a split that stays.")
}

func neitherActiveNorWeights() diag.Diagnostic {
	return misuse(path.Root("active"), "Neither active nor weights is set. Set one: active for all the traffic, weights for a split that stays.")
}

func activeAgainstWeights() diag.Diagnostic {
	return misuse(path.Root("weights"), "It says something else than active. Take both out of ignore_changes, or name both there to leave the traffic as it is.")
}

func noSuchEnvironment(at path.Path, name string, among []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("There is no environment %q. Use one of %s, or add it to environments.", name, quoted(among)))
}

func weightMissing(at path.Path, name string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It leaves out the environment %q. Name every environment; 0 is a weight.", name))
}

func badShare(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return misuse(at, "It is finer than 0.1. Write percent with one decimal at most.", fact{"Value", number(percent)})
	}
	return misuse(at, "It is out of range. Write percent from 0 to 100.", fact{"Value", number(percent)})
}

func wrongSum(at path.Path, percent map[string]float64) diag.Diagnostic {
	var sum shift.Share
	for _, p := range percent {
		share, _ := shift.ShareOf(p)
		sum += share
	}
	return misuse(at, "The weights do not sum to 100. Change them so that they do.", fact{"Sum", number(sum.Percent())})
}

func tooManyGroups(at path.Path, err error) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The shift would need more than %d target groups in one action at once, the most that Elastic Load Balancing takes. "+
		"Move the traffic to fewer environments first.", shift.MaxGroups), fact{"Cause", err.Error()})
}

func stepWithoutPercent(at path.Path) diag.Diagnostic {
	return misuse(at, "It has no percent. Write how much of the way it goes, such as percent = 10.")
}

func stepWithoutHold(at path.Path) diag.Diagnostic {
	return misuse(at, `It has no hold. Write how long the step is watched, such as hold = "5m"; "0s" goes on at once.`)
}

func badStep(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return misuse(at, "It is finer than 0.1. Write percent with one decimal at most.", fact{"Value", number(percent)})
	}
	return misuse(at, "It is out of range. Write percent above 0 and below 100; the last step, 100, is always there.", fact{"Value", number(percent)})
}

func stepsNotRising(at path.Path, step, before shift.Share) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It is not above the step before it, %s. Put the steps in rising order.", number(before.Percent())),
		fact{"Value", number(step.Percent())})
}

func unknownPreset(at path.Path, name string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("CodeDeploy has no such deployment configuration for ECS or Lambda. Write one of %s; CodeDeployDefault. may stand in front, and ECS and Lambda may be left out.",
		quoted(shift.Presets())), fact{"Value", strconv.Quote(name)})
}

func noSuchGate(at path.Path, name string, among []string) diag.Diagnostic {
	if len(among) == 0 {
		return misuse(at, fmt.Sprintf("There is no gate %q. Add it to gates.", name))
	}
	return misuse(at, fmt.Sprintf("There is no gate %q. Use one of %s, or add it to gates.", name, quoted(among)))
}

func stepGateElsewhere(at path.Path, name string, when shift.When) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("The gate %q has when = %q, and a gate of a step is asked at such steps alone. Take its when out, or the gate out of the step.", name, when))
}

func nullGate(at path.Path) diag.Diagnostic {
	return misuse(at, "It is null. Leave the gate out of the map instead.")
}

func gateWithoutKind(at path.Path, kinds []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has no kind. Give it exactly one of %s.", quoted(kinds)))
}

func gateOfTwoKinds(at path.Path, kinds []string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It has several kinds: %s. Give it exactly one, and make another gate of the rest.", quoted(kinds)))
}

func unreadableURL(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is not an http or https URL. Write one such as "http://127.0.0.1:4566".`, fact{"Value", strconv.Quote(text)})
}

// wrongArgument passes on what a gate says of one of its arguments. The value is
// left out, since it may be a secret.
func wrongArgument(at path.Path, err error) diag.Diagnostic {
	text := err.Error()
	return misuse(at, strings.ToUpper(text[:1])+sentence(text[1:])+" Correct it.")
}

func keyWithout(at path.Path, other string) diag.Diagnostic {
	return misuse(at, fmt.Sprintf("It needs aws.%s beside it. Add it, or leave both to the environment.", other))
}

func twoRoles(at path.Path) diag.Diagnostic {
	return misuse(at, "There is aws.assume_role too. Keep one of them.")
}

func roleDuration(at path.Path, text string) diag.Diagnostic {
	return misuse(at, `It is out of range. Write a duration from "15m" to "12h".`, fact{"Value", strconv.Quote(text)})
}

func noTokenFile(at path.Path) diag.Diagnostic {
	return misuse(at, "It is missing. Write the path of the file with the token, or set "+tokenFileVariable+".")
}

func malformedImport(id, part string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Unable to import switch "+strconv.Quote(id),
		fmt.Sprintf("%q is not an entry point with its routes. Write web=<arn>, more routes of it as web=<arn>+<arn>, more entry points as web=<arn>,api=<arn>.", part))
}

func importNotARoute(id, arn string, err error) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Unable to import switch "+strconv.Quote(id),
		fmt.Sprintf("%q is not the ARN of a listener or a listener rule of an Application Load Balancer. Give one.", arn)+factLines([]fact{{"Cause", err.Error()}}))
}

func importTwice(id, arn string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Unable to import switch "+strconv.Quote(id), "A route is named twice. Name each once."+factLines([]fact{{"Route", arn}}))
}

func quoted(words []string) string {
	var all []string
	for _, word := range words {
		all = append(all, strconv.Quote(word))
	}
	return strings.Join(all, ", ")
}

// planTooOld is here since the way on is to plan again.
func planTooOld(window time.Duration) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Unable to apply plan of switch",
		fmt.Sprintf("The plan goes back to the previous version without steps, and is too old for that: the rollback window of %s is over. "+
			"Nothing was moved. Plan again; the schedule then has its steps.", shift.FormatDuration(window)))
}
