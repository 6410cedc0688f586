package lambda

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const maxDescription = 256

type routingInput struct {
	AdditionalVersionWeights map[string]float64
}

type aliasInput struct {
	FunctionName, Name, RevisionId string
	FunctionVersion, Description   *string
	RoutingConfig                  *routingInput
}

// aliasAnswer is an alias as the API shows it.
type aliasAnswer struct {
	AliasArn, Name, FunctionVersion, Description, RevisionId string
	RoutingConfig                                            *routingInput `json:",omitempty"`
}

var aliasForm = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,128}$`)

// shown is where an alias sends invocations, as the API shows it. Until concurrency is provisioned for a new version,
// that is the previous one.
func (f *function) shown(name string, now time.Time) routing {
	r := f.aliases[name].routing
	if previous := f.provisioned[name].servesPrevious(now); previous != "" {
		r.weights = map[string]float64{previous: 1}
	}
	return r
}

func (f *function) answer(name string, now time.Time) aliasAnswer {
	a, r := f.aliases[name], f.shown(name, now)
	out := aliasAnswer{AliasArn: f.arn + ":" + name, Name: name, FunctionVersion: r.version, Description: a.description, RevisionId: a.revision}
	if len(r.weights) > 0 {
		out.RoutingConfig = &routingInput{r.weights}
	}
	return out
}

func createAlias(c *call, in aliasInput) (any, error) {
	f, t, err := c.find(in.FunctionName, "")
	switch {
	case err != nil:
		return nil, err
	case !aliasForm.MatchString(in.Name) || isNumber(in.Name):
		return nil, violation("ValidationException", "name", in.Name, "satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)")
	case f.aliases[in.Name] != nil:
		return nil, conflict("Alias already exists: %s:%s", f.arn, in.Name)
	case in.FunctionVersion == nil:
		return nil, wire.BadRequest("ValidationException", "1 validation error detected: Value null at 'functionVersion' failed to satisfy constraint: Member must not be null")
	}
	f = c.state.change(t.key)
	a := &alias{name: in.Name}
	if err := c.apply(f, a, in); err != nil {
		return nil, err
	}
	return created(f.answer(in.Name, c.now)), nil
}

func updateAlias(c *call, in aliasInput) (any, error) {
	f, t, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	was := f.aliases[in.Name]
	if was == nil {
		return nil, noAlias(f, in.Name)
	}
	if in.RevisionId != "" && in.RevisionId != was.revision {
		return nil, stale()
	}
	f = c.state.change(t.key)
	next := *was
	if err := c.apply(f, &next, in); err != nil {
		return nil, err
	}
	return f.answer(in.Name, c.now), nil
}

// apply changes an alias by what a call has, and stores it.
func (c *call) apply(f *function, a *alias, in aliasInput) error {
	was := a.routing
	if in.Description != nil {
		a.description = *in.Description
	}
	if len(a.description) > maxDescription {
		return violation("ValidationException", "description", a.description, "have length less than or equal to 256")
	}
	if in.FunctionVersion != nil {
		a.routing.version = *in.FunctionVersion
	}
	if in.RoutingConfig != nil {
		a.routing.weights = in.RoutingConfig.AdditionalVersionWeights
	}
	if err := c.checkRouting(f, a.routing); err != nil {
		return err
	}
	p := f.provisioned[a.name]
	if p != nil && len(a.routing.weights) > 0 {
		// Lambda refuses both together. The text is observed where deployments change such an alias.
		return invalid("Invalid alias configuration for Provisioned Concurrency")
	}
	if p != nil && a.routing.version != was.version { // the previous version serves until the new one is provisioned
		f.provisioned[a.name] = &provisioned{requested: p.requested, modified: c.now, readyAt: c.now.Add(c.opts.Provisioning), previous: was.version}
	}
	a.revision = newRevision()
	a.served = served{before: a.served.at(c.now), now: a.routing.distribution(), since: c.now.Add(c.opts.Propagation + c.request.Effects.SyncDelay)}
	f.aliases[a.name] = a
	return nil
}

func (c *call) checkRouting(f *function, r routing) error {
	if r.version != latest && !isNumber(r.version) {
		return violation("ValidationException", "functionVersion", r.version, `satisfy regular expression pattern: (\$LATEST|[0-9]+)`)
	}
	if f.version(r.version) == nil {
		return notFound("Function not found: %s:%s", f.arn, r.version)
	}
	for number, weight := range r.weights {
		if weight < 0 || weight > 1 {
			return wire.BadRequest("ValidationException", "1 validation error detected: Value '{%s=%s}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "+
				"Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
				number, strconv.FormatFloat(weight, 'f', -1, 64))
		}
		if !isNumber(number) {
			return wire.BadRequest("ValidationException", "1 validation error detected: Value '{%s=%s}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "+
				"Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, Member must not be null]",
				number, strconv.FormatFloat(weight, 'f', -1, 64))
		}
	}
	if len(r.weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for number := range r.weights {
		switch {
		case number == r.version:
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.", number, number)
		case r.version == latest:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case f.version(number) == nil:
			return notFound("Function not found: %s:%s", f.arn, number)
		}
	}
	return nil
}

func getAlias(c *call, in struct{ FunctionName, Name string }) (any, error) {
	f, _, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if f.aliases[in.Name] == nil {
		return nil, noAlias(f, in.Name)
	}
	return f.answer(in.Name, c.now), nil
}

func deleteAlias(c *call, in struct{ FunctionName, Name string }) (any, error) {
	f, t, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if f.aliases[in.Name] != nil { // deleting what does not exist succeeds
		f = c.state.change(t.key)
		delete(f.aliases, in.Name)
		delete(f.provisioned, in.Name)
	}
	return deleted(), nil
}

type listedAliases struct {
	Aliases    []aliasAnswer
	NextMarker string `json:",omitempty"`
}

// listAliases lists the aliases, with FunctionVersion only those that have it as their primary version.
func listAliases(c *call, in page) (any, error) {
	f, _, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	all := []aliasAnswer{}
	for _, name := range slices.Sorted(maps.Keys(f.aliases)) {
		shown := f.answer(name, c.now)
		if in.FunctionVersion != "" && shown.FunctionVersion != in.FunctionVersion {
			continue
		}
		all = append(all, shown)
	}
	some, next := cut(all, in)
	return listedAliases{some, next}, nil
}
