// Package platform has one Entry for each router: its block of the switch, how ids are
// checked and named, how clients are opened, and the wording of its errors. The rest of
// the provider imports no router.
package platform

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Entry is one kind of router in the schema: its block of the switch, how its ids are
// checked and named for people, how its clients are opened, and the wording of its errors.
// A new router is a file with an Entry and one line in All. Every field is required.
type Entry struct {
	catalog.Kind

	// BackendsText is the description of Backends, without the entry points that it must have.
	BackendsText string
	Schema       func() schema.ListNestedBlock
	// ValueFault says what is wrong with a value of Backends without its routes; empty: nothing.
	ValueFault func(value string) string
	// groupFault words an error of Group that is about several routes; empty: a fault of one route or of the value.
	groupFault func(err error) string
	// Words are what messages call things.
	Words Words

	// RouteText is what a route is, such as "the ARN of a listener".
	RouteText string
	// NoRequests says why a gate on the responses to requests cannot be evaluated for routes, and what to use
	// instead; empty: it can.
	NoRequests func(routes []string) string

	// RouteFault and GroupFault say what is wrong with an id, and what to use instead;
	// empty: nothing.
	RouteFault, GroupFault func(id string) string
	// Detaches reports whether an idle group can be detached from a route: it is one that
	// a switch can have. False for all where the router detaches nothing.
	Detaches func(route string) bool
	// Unread reports whether only a read shows that a route cannot be used, and
	// ReadFault says so for the error of that read, nil where it is another error.
	Unread    func(route string) bool
	ReadFault func(at path.Path, route string, err error) diag.Diagnostic
	// Detail words an error of the platform's calls; false: not one of its errors.
	Detail func(err error) (input.Detail, bool)
	// Command is a command line with which somebody writes a state to a route without
	// Terraform.
	Command func(route string, want traffic.State) (string, error)
	// restore gives a state that was in JSON the Raw value that it had.
	restore func(s *traffic.State) error
	// LimitText says what a route cannot have more of, such as "5 target groups in one
	// action". It is shown only where Limits.Groups is not 0.
	LimitText string
	// IdleText says what it means that no route has a group.
	IdleText string

	// Connect opens the clients. The id is a route or group.
	Connect func(ctx context.Context, session *Session, id string) (*Clients, error)
}

// What all platforms of AWS have in common in messages.
const (
	amazon        = "AWS"
	hashicorpAWS  = "hashicorp/aws or a module"
	amazonRole    = "an assumed role"
	amazonARN     = "the ARN, including its region and account"
	amazonNetwork = "the network from where Terraform runs to AWS, and the AWS Health Dashboard"
)

// Words are what messages call the things of a platform. What a group is called is Platform.Backend.
type Words struct {
	API     string // whose credentials are needed, and who answers: "AWS"
	Renewed string // credentials that renew themselves: "an assumed role"
	Service string // begins a sentence: "The load balancer"
	Route   string // "listener or rule"
	// Ignore is what keeps another resource from writing the weights: "lifecycle { ignore_changes = [default_action] }".
	// Manager is whose resource that usually is.
	Ignore, Manager string
	// NotHealthy and TooFew are what to do where an environment is not healthy, and where targets are missing.
	NotHealthy, TooFew string
	// Check and CheckBackend are what to check of a route and of a group that does not exist, and Network is that where
	// an API does not answer.
	Check, CheckBackend, Network string
	Record                       RecordWords
}

// ManagedHint is what to do if another resource manages a route.
func (w Words) ManagedHint() string {
	return "If " + w.Manager + " manages this " + w.Route + ", first give that resource " + w.Ignore + ", or it moves the traffic again."
}

// RecordWords are what to do about a record of a shift. All are empty where the routes have no place for one.
type RecordWords struct {
	Refused string // it was refused
	Denied  string // the credentials may not write it; empty: then they may not write the weights either
	Lost    string // it vanishes
	Remove  string // what to remove where no switch is left to do it: "the tags …"
}

// All returns all platforms.
func All() []Entry {
	return []Entry{loadBalancer(), route53Records(), lambdaAliases(), kubernetesRoutes()}
}

// Of returns the platform of a route or group. An id of none belongs to the first:
// its checks say what is wrong with it.
func Of(id string) Entry {
	all := All()
	if i := slices.IndexFunc(all, func(p Entry) bool { return p.Owns(id) }); i >= 0 {
		return all[i]
	}
	return all[0]
}

// For returns the platform with what the routes of one switch can express.
func (p Entry) For(routes []string) Entry {
	p.Kind = p.Kind.For(routes)
	return p
}

// CheckPlanned is the check of the account in a plan, where the platform is one of AWS. The id is a route.
func (p Entry) CheckPlanned(ctx context.Context, session *Session, id string) error {
	if p.Words.API != amazon {
		return nil
	}
	return session.AWS.CheckPlanned(ctx, p.Region(id))
}

// Release describes the platform to a release.
func (p Entry) Release() release.Platform {
	return release.Platform{Limits: p.Limits, NoRecord: p.Unrecorded != "", Backend: p.Backend, Aliases: p.Aliases, GroupName: p.GroupName,
		Batch: p.Batch, Connections: p.Connections, Managed: p.Words.ManagedHint()}
}

// GroupOf returns the group that a value of Backends means behind the routes of an entry point, or what is
// wrong with it.
func (p Entry) GroupOf(routes []string, value string) (group, fault string) {
	if fault = p.ValueFault(value); fault != "" {
		return "", fault
	}
	group, err := p.Group(routes, value)
	if err != nil {
		return "", p.groupFault(err)
	}
	return group, ""
}

// Fact names a group in the facts of a message.
func (p Entry) Fact() string { return strings.ToUpper(p.Backend[:1]) + p.Backend[1:] }

// At is the path of the blocks, of which a switch has one.
func (p Entry) At() path.Path { return path.Root(p.Block) }

// RoutesAt is the path of the routes.
func (p Entry) RoutesAt() path.Path { return p.At().AtListIndex(0).AtName("routes") }

// Label names a route or group for people.
func Label(id string) string { return Of(id).Label(id) }

// spaceFault is about white space around a value, such as the newline at the end of a file, which is not visible in a
// message; empty: there is none.
func spaceFault(text string) string {
	switch {
	case strings.TrimSpace(text) == text:
		return ""
	case strings.HasSuffix(text, "\n"):
		return "It ends with a newline. Remove it, for example with trimspace()."
	}
	return "It begins or ends with white space. Remove it, for example with trimspace()."
}

// Clients call the API of a platform.
type Clients struct {
	Forward, Rollback traffic.Router
	Recorder          traffic.Recorder // nil: the router has no place for records
	Reader            SharedReader
	Groups            GroupInspector
	// Balancers returns the ARNs of the load balancers whose metrics are those of the requests to each group, by group,
	// for the routes of its backend. It returns a traffic.NoMetricsError where there is none. Nil: CloudWatch has metrics of
	// the groups.
	Balancers func(ctx context.Context, backends []traffic.Backend) (map[string][]string, error)
	// Managed returns what else manages the objects of routes, in their order. Nil: nothing is known of that.
	Managed func(ctx context.Context, routes []string) ([]Managed, error)
	// CheckAccount checks, once, that the credentials belong to an allowed account.
	CheckAccount func(context.Context) error
	// CredentialsLast reports an error where the credentials expire within d.
	CredentialsLast func(ctx context.Context, d time.Duration) error
	// Handover describes these clients, with secrets, for Resume in another process.
	Handover func(context.Context) (json.RawMessage, error)
}

// SharedReader reads for refreshes and plans. The resources of one run share its calls.
type SharedReader interface {
	traffic.References
	// Read is traffic.Router's, except that results may be a few seconds old.
	Read(ctx context.Context, routes []string) ([]traffic.State, error)
	// OtherRoutes returns the routes that send traffic to one of the groups and are not
	// among the routes.
	OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error)
	// IdleHealth returns the health of each group, also with an error. It may leave out some:
	// the number of its reads in a run is limited.
	IdleHealth(ctx context.Context, groups []string) (map[string]traffic.Health, error)
	// Records is traffic.Recorder's.
	Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error)
	// Invalidate drops all results: something was written.
	Invalidate()
}

// GroupInspector reads groups beyond their health, uncached.
type GroupInspector interface {
	traffic.References
	// CheckGroups checks that every group exists and that the routes of its entry point
	// may send traffic to it.
	CheckGroups(ctx context.Context, entries ...traffic.Entry) error
	// LongestDelay returns the longest time that in-flight requests of a group may take.
	LongestDelay(ctx context.Context, groups []string) (time.Duration, error)
	// SlowStarts returns the slow start of each group that has one, also with an error.
	SlowStarts(ctx context.Context, groups []string) (map[string]time.Duration, error)
}
