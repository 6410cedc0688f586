package provider

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Texts about an invalid configuration, one function per cause. Nothing has been
// called and nothing has changed when they are reported.

// steadyTooLong reports a steady_for that cannot be reached within the timeout.
func steadyTooLong(at path.Path, steady, timeout time.Duration) diag.Diagnostic {
	return input.Misuse(at, "It is longer than timeout, so it could never be reached. Use a shorter steady_for or a longer timeout.",
		input.Fact{"Steady for", schedule.FormatDuration(steady)}, input.Fact{"Timeout", schedule.FormatDuration(timeout)})
}

// tildeNotExpanded reports a path that begins with the ~ of shells.
func tildeNotExpanded(at path.Path, value string) diag.Diagnostic {
	return input.Misuse(at, "A ~ is not expanded here. Use pathexpand(...).", input.Fact{"Value", value})
}

// noRouterBlock is about a switch without routes; the first platform is the one that most have.
func noRouterBlock(at path.Path) diag.Diagnostic {
	var others []string
	for _, p := range platform.All()[1:] {
		others = append(others, p.Block)
	}
	return input.Misuse(at, fmt.Sprintf("The block is missing. Add it with the routes that the switch shifts, or %s.", strings.Join(others, " or ")))
}

func twoRouterBlocks(at path.Path, found []string) diag.Diagnostic {
	return input.Misuse(at, "The switch has the blocks "+schedule.And(found)+". Use one of them in a switch, and another switch for the other routes.")
}

func noRoutes(at path.Path, router platform.Entry) diag.Diagnostic {
	return input.Misuse(at, "It is empty. Set at least one route: "+router.RouteText+".")
}

func sameRouteTwice(at, first path.Path, arn string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The same route is already listed at %s. List each route once.", input.PathText(first)), input.Fact{"Route", arn})
}

// routeOfTwoSwitches is a route of which another switch of the same configuration plans the traffic.
func routeOfTwoSwitches(at path.Path, route, other string) diag.Diagnostic {
	return input.Misuse(at, "Another switch of this configuration has the same route, and two switches would undo each other's shifts. "+
		"Remove the route from one of them. With count or for_each, give each instance routes of its own.",
		input.Fact{"Route", route}, input.Fact{"Other switch", other})
}

// routeIsTest is a route that an environment declares to be for tests.
func routeIsTest(at path.Path, route, environment string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("Environment %q lists the same route in test_routes, but a route of a switch carries the traffic of users. "+
		"Remove it from one of the two.", environment), input.Fact{"Route", route})
}

// testIsRoute is routeIsTest, found by the environment.
func testIsRoute(at path.Path, route string) diag.Diagnostic {
	return input.Misuse(at, "It is a route of a switch of this configuration, so it carries the traffic of users. Remove it from one of the two.",
		input.Fact{"Route", route})
}

// routeElsewhere is a route in another partition than the others.
func routeElsewhere(at path.Path, route, first string) diag.Diagnostic {
	return input.Misuse(at, "It is in another partition of AWS than the other routes, and no credentials are valid in both. Use a switch for each partition.",
		input.Fact{"Route", route}, input.Fact{"Other route", first})
}

// groupElsewhere is a group that is not where the routes of its entry point are. Fault says in what it differs.
func groupElsewhere(at path.Path, fault, group, route string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It is not where a route of its entry point is: %s. A listener or rule forwards only to target groups of its own region and account. "+
		"Use the target group next to the load balancer, or the route next to the target group.", fault),
		input.Fact{"Target group", group}, input.Fact{"Route", route})
}

// accountOfRoute is a route or group of an account that must not be changed.
func accountOfRoute(at path.Path, id string, err error) diag.Diagnostic {
	return input.Misuse(at, "It belongs to an AWS account that is not in aws.allowed_account_ids of the provider. Use an ARN of an allowed account, or add the account there.",
		input.Fact{"ARN", id}, input.Fact{"Cause", err.Error()})
}

// accountAtPlan is about credentials of an account that must not be changed.
func accountAtPlan(err error) diag.Diagnostic {
	d := ownDetail(err, input.CauseFact(err))
	d.Traffic = "not read. Nothing was changed."
	return d.Diagnostic("Cannot plan the switch")
}

// unusableID is a route or group that its platform cannot use.
func unusableID(at path.Path, id, fault string) diag.Diagnostic {
	return input.Misuse(at, fault, input.Fact{"Value", strconv.Quote(id)})
}

func stickinessOutOfRange(at path.Path, text string, limits traffic.Limits) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It is out of range. Use whole seconds from %q to %q, or \"0s\" to turn stickiness off.",
		schedule.FormatDuration(limits.MinSticky), schedule.FormatDuration(limits.MaxSticky)), input.Fact{"Value", strconv.Quote(text)})
}

func stickinessOfConnections(at path.Path, route string) diag.Diagnostic {
	return input.Misuse(at, "A Network Load Balancer has no group stickiness with a duration. Remove stickiness, or use one switch for its listeners and another for those of Application Load Balancers.",
		input.Fact{"Route", route})
}

func noEnvironments(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It has no environment. Add at least one.")
}

func backendsMissing(at path.Path, w *desired) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It is missing. Set a %s for each entry point in %s.", w.platform.Backend, input.PathText(w.routesAt)))
}

func groupMissing(at path.Path, entry string, w *desired) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It has no %s for the entry point %q. Add one, or remove the entry point from %s.", w.platform.Backend, entry, input.PathText(w.routesAt)))
}

func groupTooMany(at path.Path, entry string, w *desired) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("There is no entry point %q in %s. Use one of %s, or remove the %s.", entry, input.PathText(w.routesAt), input.Quoted(w.entries), w.platform.Backend))
}

func sameGroupTwice(at, first path.Path, group string) diag.Diagnostic {
	p := platform.Of(group)
	return input.Misuse(at, fmt.Sprintf("The same %s is already used at %s. Use a separate %[1]s for each environment.", p.Backend, input.PathText(first)), input.Fact{p.Fact(), group})
}

func activeAndWeights() diag.Diagnostic {
	return input.Misuse(path.Root("weights"), "Both active and weights are set. Use active to send all traffic to one environment, or weights for a lasting split.")
}

func neitherActiveNorWeights() diag.Diagnostic {
	return input.Misuse(path.Root("active"), "Neither active nor weights is set. Set active to send all traffic to one environment, or weights for a lasting split.")
}

func activeAgainstWeights() diag.Diagnostic {
	return input.Misuse(path.Root("weights"), "It contradicts active. Remove both from ignore_changes, or list both there to leave the traffic as it is.")
}

func noSuchEnvironment(at path.Path, name string, among []string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("There is no environment %q. Use one of %s, or add it to environments.", name, input.Quoted(among)))
}

func weightMissing(at path.Path, name string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It has no entry for the environment %q. List every environment; use 0 for those without traffic.", name))
}

func badShare(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return input.Misuse(at, "It has more than one decimal. Use at most one.", input.Fact{"Value", input.Number(percent)})
	}
	return input.Misuse(at, "It is out of range. Use a percentage from 0 to 100.", input.Fact{"Value", input.Number(percent)})
}

func wrongSum(at path.Path, percent map[string]float64) diag.Diagnostic {
	var sum shift.Share
	for _, p := range percent {
		share, _ := shift.ShareOf(p)
		sum += share
	}
	return input.Misuse(at, "The weights do not sum to 100.", input.Fact{"Sum", input.Number(sum.Percent())})
}

func tooManyGroups(at path.Path, limits string, err error) diag.Diagnostic {
	return input.Misuse(at, "The shift would need more than "+limits+". Shift the traffic to fewer environments first.", input.Fact{"Cause", err.Error()})
}

// holdTooShort is about a hold, or a bake, that is over before all users are at its weights.
func holdTooShort(config switchModel, short *shift.HoldError) diag.Diagnostic {
	return input.Misuse(strategyPath(config), fmt.Sprintf("A hold is over before all users are at the weights of its step: %s. Set at least %s, or lower the TTL of the records.",
		schedule.HoldText(short), schedule.FormatDuration(short.Cached)))
}

// inexactWeights is about weights that the router cannot express.
func inexactWeights(at path.Path, e release.InexactError) diag.Diagnostic {
	text := "The router cannot express these weights."
	if e.At != shift.Full {
		text = fmt.Sprintf("The router cannot express the weights at %s of the shift.", e.At)
	}
	return input.Misuse(at, text+" Use weights that it can express.", input.Fact{"Weights", e.Weights.String()}, input.Fact{"Nearest", e.Nearest.String()})
}

// allOrNothing is about shares between 0 and 100 % where one environment has all the traffic of a route.
func allOrNothing(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "A route service/… is the selector of a Service, which has all the traffic or none: there is nothing between 0 and 100 %. "+
		"Use active without steps, or routes with weights, such as httproute/….")
}

// inexactStep is about a step that the router cannot express.
func inexactStep(at path.Path, step, nearest shift.Share) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The router cannot express a step at %s. The nearest is percent = %s.", step, input.Number(nearest.Percent())))
}

func stepWithoutPercent(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "It has no percent. Set the part of the shift that is done at this step, such as percent = 10.")
}

func stepWithoutHold(at path.Path) diag.Diagnostic {
	return input.Misuse(at, `It has no hold. Set how long to hold the step, such as hold = "5m", or "0s" to continue as soon as the gates pass.`)
}

func badStep(at path.Path, percent float64, err error) diag.Diagnostic {
	if errors.Is(err, shift.ErrTooFine) {
		return input.Misuse(at, "It has more than one decimal. Use at most one.", input.Fact{"Value", input.Number(percent)})
	}
	return input.Misuse(at, "It is out of range. Use a percentage above 0 and below 100. The step at 100 is always added.", input.Fact{"Value", input.Number(percent)})
}

func stepsNotRising(at path.Path, step, before shift.Share) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("It is not above the percent of the previous step, %s. List the steps in ascending order.", input.Number(before.Percent())),
		input.Fact{"Value", input.Number(step.Percent())})
}

func baselineAboveSteps(at path.Path, baseline, last shift.Share) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("The bake would run at %s, which is not above the last step, %s. Use less than %s, or end the steps earlier.",
		shift.Full-baseline, last, input.Number((shift.Full-last).Percent())), input.Fact{"Value", input.Number(baseline.Percent())})
}

func approvalWithoutRecord(at path.Path, router platform.Entry) diag.Diagnostic {
	if router.Unrecorded != "" {
		return input.Misuse(at, fmt.Sprintf("An approval is a request beside the record of the shift, and %s has no place for that. Use a webhook gate.", router.Block))
	}
	return input.Misuse(at, `An approval is a request beside the record of the shift, and shift_record = "off" turns that off. Remove shift_record from the provider, or use a webhook gate.`)
}

// routeManagedElsewhere warns of a route that something else manages, too.
func routeManagedElsewhere(m platform.Managed) diag.Diagnostic {
	return input.Detail{Cause: strings.ToUpper(m.Text[:1]) + m.Text[1:], Facts: []input.Fact{{"Route", m.Route}}}.Warning("Route is also managed by something else")
}

func unknownPreset(at path.Path, name string) diag.Diagnostic {
	return input.Misuse(at, fmt.Sprintf("CodeDeploy has no such predefined deployment configuration for ECS or Lambda. Use one of %s, with or without the prefix CodeDeployDefault. and the platform.",
		input.Quoted(shift.Presets())), input.Fact{"Value", strconv.Quote(name)})
}

func rollbackTimeoutOutOfRange(at path.Path, d time.Duration) diag.Diagnostic {
	return input.Misuse(at, `It is out of range. Use a duration from "10s" to "24h".`, input.Fact{"Value", schedule.FormatDuration(d)})
}

func stepWithGates(at path.Path) diag.Diagnostic {
	return input.Misuse(at, "A step lists no gates. Set at_percent in the block of each gate instead, such as at_percent = [50], and remove gates from the step.")
}

// noSuchStep is a percentage of at_percent that no step has.
func noSuchStep(at path.Path, gate string, percent shift.Share, steps []shift.Step) diag.Diagnostic {
	var exist []string
	for _, s := range steps {
		exist = append(exist, input.Number(s.At.Percent()))
	}
	text := "strategy has no steps. Use 100 (the bake), or add the step to strategy.steps."
	if len(exist) > 0 {
		text = "The steps are at " + strings.Join(exist, ", ") + " and 100 (the bake). Use one of them, or add the step to strategy.steps."
	}
	return input.Misuse(at, "There is no step at this percentage, so the gate would never be evaluated there. "+text,
		input.Fact{"Value", input.Number(percent.Percent())}, input.Fact{"Gate", gate})
}

func malformedImport(id, part string) diag.Diagnostic {
	var forms []string
	for _, p := range platform.All() {
		forms = append(forms, p.RouteText)
	}
	last := len(forms) - 1
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id),
		fmt.Sprintf("%q is not an entry point with its routes. Use the form web=<route>, web=<route>+<route> for several routes, or web=<route>,api=<route> for several entry points. "+
			"For <route>, use %s, or %s.", part, strings.Join(forms[:last], ", "), forms[last]))
}

func importNotARoute(id, route, fault string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id), fmt.Sprintf("%q cannot be used. %s", route, fault))
}

func importTwice(id, arn string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Cannot import switch "+strconv.Quote(id), "A route is listed twice. List each once."+input.FactLines([]input.Fact{{"Route", arn}}))
}

// planTooOld refuses a plan without steps that is applied after rollback_window.
// A plan without a refresh takes the time of the last one, so only a refresh helps.
func planTooOld(window time.Duration) diag.Diagnostic {
	return input.Detail{
		Traffic: "not read in this run. Nothing was changed.",
		Cause: fmt.Sprintf("The plan reverts to the previous version without steps, but the rollback_window of %s is over.",
			schedule.FormatDuration(window)),
		Action: "Plan again without -refresh=false. The new plan takes the steps.",
	}.Diagnostic("Cannot apply the plan of the switch")
}
