// Package routers has one Entry for each router: how its routes and groups are named, checked and
// called, and the wording of its errors. The rest of operate knows no router.
package routers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Entry is one router. A new one is a file with an Entry and one line in All. Fields are required
// unless they say otherwise.
type Entry struct {
	catalog.Kind

	// Name is what the routes are called together, such as "load balancers".
	Name string
	// BackendForm is how a group is named, such as "the ARN of a target group".
	BackendForm string
	// RouteForm is how routes are named, as a continuation of "Use".
	RouteForm string
	// IsGroupID reports whether a text is meant as the id of a group, and not as the name of an
	// environment.
	IsGroupID func(text string) bool
	// missing is what to do about an id that does not exist.
	missing string
	// advice is what to do about an error of the router; empty: it is not one of its own.
	advice func(err error) string
	// resource is what a failed call was about; empty: not known.
	resource func(err error) string

	// Connect makes clients. It makes no call.
	Connect func(config aws.Config) Clients
}

// Clients call the API of a router.
type Clients struct {
	Router, Rollback traffic.Router
	// Recorder is nil where the routes have no place for the record of a shift.
	Recorder traffic.Recorder
	// Beside returns all routes of the load balancers of routes. It is nil without a Recorder.
	Beside func(ctx context.Context, routes []string) ([]string, error)
	// Others returns routes beside the named ones that have the same groups, and that the same switch
	// probably has. Nil: the router knows none.
	Others func(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error)
}

// All returns all routers.
func All() []Entry {
	return []Entry{loadBalancers(), route53Records(), lambdaAliases()}
}

// Of returns the router of a route or group. An id of none belongs to the first: its checks say what is
// wrong with it.
func Of(id string) Entry {
	all := All()
	if i := slices.IndexFunc(all, func(e Entry) bool { return e.Owns(id) }); i >= 0 {
		return all[i]
	}
	return all[0]
}

// Fault is why an id is not a route.
type Fault struct {
	Err    error
	Action string // what to do
}

// CheckRoute returns what is wrong with the id of a route; nil: nothing.
func CheckRoute(id string) *Fault {
	if !catalog.Owned(id) {
		return &Fault{Err: fmt.Errorf("%q is not a route", id), Action: RouteForms()}
	}
	e := Of(id)
	if err := e.CheckRoute(id); err != nil {
		return &Fault{Err: err, Action: cmp.Or(e.advice(err), "Use "+e.RouteForm+".")}
	}
	return nil
}

// RouteForms says how the routes of every router are named.
func RouteForms() string {
	all := All()
	var forms []string
	for _, e := range all {
		forms = append(forms, e.RouteForm)
	}
	return "Use " + strings.Join(forms[:len(forms)-1], "; ") + "; or " + forms[len(forms)-1] + "."
}

// Region is the region of a route; empty: it has none.
func Region(id string) string { return Of(id).Region(id) }

// Account is the account of a route or group; empty: not known.
func Account(id string) string { return Of(id).Place(id).Account }

// Advice is what to do about an error of a router; empty: it is not one of its own.
func Advice(err error) string {
	for _, e := range All() {
		if text := e.advice(err); text != "" {
			return text
		}
	}
	return ""
}

// Missing is what to do about an id that does not exist.
func Missing(id string) string { return Of(id).missing }

// Resource is what a failed call was about; empty: not known.
func Resource(err error) string {
	for _, e := range All() {
		if id := e.resource(err); id != "" {
			return id
		}
	}
	return ""
}
