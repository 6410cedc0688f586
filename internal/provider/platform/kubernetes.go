package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// kubernetesRoutes is the platform of objects of a Kubernetes cluster.
func kubernetesRoutes() Entry {
	return Entry{
		Kind:         catalog.Kubernetes(),
		BackendsText: "Map of entry point to the Service with its port, such as `web-blue:8080`, with one for each entry point whose routes have weights",
		Words: Words{
			API: "Kubernetes", Renewed: "exec of the block kubernetes, such as aws eks get-token", Service: "The Kubernetes API", Route: "route",
			Manager:      "hashicorp/kubernetes, Argo CD or Flux",
			Ignore:       `computed_fields = ["metadata.annotations", "metadata.labels", "spec.rules"], or what the guide Kubernetes has for it`,
			NotHealthy:   "Find out why the Pods are not ready: check their readiness probe, their events, and the selector of the Service. Then apply again.",
			TooFew:       "Scale the Deployment%s, check that its Pods are ready and in the EndpointSlices of the Service, then apply again.",
			Check:        "the kind, the namespace, the name and the rule, and the context of the kubeconfig",
			CheckBackend: "the name, the namespace and the port of the Service, and the context of the kubeconfig",
			Network:      "the network from where Terraform runs to the API server, and the API server",
			Record: RecordWords{
				Refused: "Allow the annotations bluegreen/shift-… of the routes in admission policies.",
				Lost:    "find out what removes the annotations bluegreen/shift-… of the routes.",
				Remove:  "annotations bluegreen/shift-…",
			},
		},
		Schema:     kubernetesBlock,
		ValueFault: serviceFault,
		groupFault: kubernetesGroupFault,
		RouteText:  "a route as httproute/NAMESPACE/NAME",
		NoRequests: func([]string) string {
			return "CloudWatch has no metrics of Kubernetes routes. Use a prometheus gate with the metrics of the gateway."
		},
		RouteFault: kubernetesRouteFault,
		GroupFault: func(group string) string { return serviceFault(catalog.Kubernetes().Value(group)) },
		Detaches:   func(string) bool { return false },
		Unread:     func(string) bool { return true },
		ReadFault:  kubernetesReadFault,
		Detail:     kubernetesDetail,
		Command:    kubernetes.Command,
		restore:    kubernetes.Restore,
		LimitText:  "16 backendRefs of one rule, the maximum of Gateway API",
		IdleText:   "no route has it",
		Connect:    connectKubernetes,
	}
}

func kubernetesBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "The routes of a Kubernetes cluster to shift. See [Kubernetes](../guides/kubernetes.md).",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"routes": schema.MapAttribute{
				ElementType: types.ListType{ElemType: types.StringType},
				Required:    true,
				MarkdownDescription: "Map of entry point (a name that you choose, such as `web`, without commas and `=`) to its routes as `KIND/NAMESPACE/NAME`, with `#RULE` (name or index) where the object has several rules, such as `httproute/shop/web#v2`. " +
					"Kinds: `httproute`, `grpcroute`, `tcproute`, `virtualservice`, and `service` for its selector, which shifts all at once.",
			},
		}},
	}
}

// serviceFault says what is wrong with a Service or with labels, without the routes.
func serviceFault(value string) string {
	if fault := spaceFault(value); fault != "" {
		return fault
	}
	if strings.Contains(value, "=") {
		if _, err := kubernetes.ParseGroup("selector/x/" + catalog.Labels(catalog.SetOf(value))); err != nil {
			return "It is not a set of labels of Kubernetes. Use names and values such as color = \"blue\"."
		}
		return ""
	}
	id := "service/x/" + value
	if strings.Contains(value, "/") {
		id = "service/" + value
	}
	if _, err := kubernetes.ParseGroup(id); err == nil {
		return ""
	}
	if !strings.Contains(value, ":") {
		return "It has no port. Use NAME:PORT, such as web-blue:8080, with a number of spec.ports of the Service."
	}
	return "It is not a Service with its port. Use NAME:PORT, or NAMESPACE/NAME:PORT for another namespace, with a number of spec.ports of the Service."
}

// kubernetesGroupFault words an error that depends on the routes of an entry point.
func kubernetesGroupFault(err error) string {
	switch {
	case errors.Is(err, kubernetes.ErrNamespaces):
		return "The routes of its entry point are in several namespaces. Use NAMESPACE/NAME:PORT, or an entry point for each namespace."
	case errors.Is(err, kubernetes.ErrKinds):
		return "Routes service/… need labels in selectors, and all others a Service in services. Use the other argument. An entry point cannot have both kinds of routes."
	}
	return "" // a fault of one route, which is reported there
}

// kubernetesRouteFault says what is wrong with the id of a route.
func kubernetesRouteFault(id string) string {
	if _, err := kubernetes.ParseRoute(id); err == nil {
		return ""
	}
	kind, _, _ := strings.Cut(id, "/")
	known := slices.Contains(kubernetes.Kinds(), kubernetes.Kind(kind))
	lower := slices.Contains(kubernetes.Kinds(), kubernetes.Kind(strings.ToLower(kind)))
	switch {
	case spaceFault(id) != "":
		return spaceFault(id)
	case !known && lower:
		return fmt.Sprintf("Write the kind in lower case: %s.", strings.ToLower(kind))
	case !known:
		return "It is not a route. Use KIND/NAMESPACE/NAME with the kind httproute, grpcroute, tcproute, virtualservice or service."
	case kind == string(kubernetes.Service) && strings.Contains(id, "#"):
		return "A Service has no rules. Use service/NAMESPACE/NAME."
	}
	return fmt.Sprintf("It is not a route. Use %s/NAMESPACE/NAME, with #RULE for one of several rules.", kind)
}

// kubernetesReadFault is about a kubeconfig that cannot be used, and about a rule that an object does not have. An
// object that does not exist may be created by the same apply.
func kubernetesReadFault(at path.Path, route string, err error) diag.Diagnostic {
	if failed, is := errors.AsType[*kubeconfig.Error](err); is && !errors.Is(err, kubeconfig.ErrNoFile) && !errors.Is(err, kubeconfig.ErrNotConfigured) {
		return input.Detail{Traffic: "not read. Nothing was changed.", Cause: failed.Cause, Action: failed.Action}.Diagnostic("Cannot call Kubernetes")
	}
	facts := input.Fact{"Route", route}
	if rule, is := errors.AsType[*kubernetes.RuleError](err); is && rule.Route == route {
		return input.Misuse(at, ruleText(rule)+" "+ruleAction(rule), facts)
	}
	if errors.Is(err, kubernetes.ErrNoDestinationPort) {
		return input.Misuse(at, destinationText+" "+destinationAction, facts, input.Fact{"Cause", err.Error()})
	}
	return nil
}

func ruleText(e *kubernetes.RuleError) string {
	label := kubernetes.Label(e.Route)
	switch {
	case len(e.Rules) == 0:
		return fmt.Sprintf("The %s has no rules.", label)
	case errors.Is(e.Err, kubernetes.ErrAmbiguous):
		return fmt.Sprintf("The %s has several rules: %s.", label, strings.Join(e.Rules, ", "))
	case errors.Is(e.Err, kubernetes.ErrSameName):
		return fmt.Sprintf("The %s is not unique: the rules with the indexes %s have this name, or have it as their index.", label, e.SameText())
	}
	return fmt.Sprintf("The %s does not exist. The rules are %s.", label, strings.Join(e.Rules, ", "))
}

func ruleAction(e *kubernetes.RuleError) string {
	id, _, _ := strings.Cut(e.Route, "#")
	if len(e.Rules) == 0 {
		return "Add a rule to it."
	}
	if errors.Is(e.Err, kubernetes.ErrSameName) {
		return fmt.Sprintf("Give each rule of %s a name of its own.", id)
	}
	return fmt.Sprintf("Name a rule that exists, such as %s#%s. If the same apply adds the rule, apply its resource first (terraform apply -target).", id, e.Rules[0])
}

const (
	destinationText   = "A destination of the VirtualService has no port.number, so that it names a Service and not its port."
	destinationAction = "Set destination.port.number for every destination of the rule."
)

// connectKubernetes opens clients.
func connectKubernetes(_ context.Context, session *Session, id string) (*Clients, error) {
	config, err := session.Kubernetes.open()
	if err != nil {
		return nil, err
	}
	forward, rollback, err := kubernetes.NewRouters(config)
	if err != nil {
		return nil, &kubeconfig.Error{Err: kubeconfig.ErrInvalid, Cause: "The Kubernetes configuration cannot be used: " + err.Error() + ".",
			Action: "Fix the kubeconfig, or the block kubernetes of the provider."}
	}
	return session.Kubernetes.clients(config, id, Clients{Forward: forward, Rollback: rollback, Recorder: kubernetes.NewRecorder(forward),
		Reader: kubernetes.NewReader(forward), Groups: forward, Managed: kubernetesManaged(forward)}), nil
}

// kubernetesName names a route or group in a sentence.
func kubernetesName(id string) string {
	if g, err := kubernetes.ParseGroup(id); err == nil && g.Selector == nil {
		return "Service " + g.Namespace + "/" + g.Service
	}
	return cmp.Or(kubernetes.Label(id), "object")
}
