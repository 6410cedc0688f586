package routers

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/catalog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// kubernetesForm is how routes of a cluster are named.
const kubernetesForm = "a route of a Kubernetes cluster as KIND/NAMESPACE/NAME, such as httproute/shop/web, with #RULE for one of several rules"

// kubernetesRoutes are objects of a cluster that send traffic to Services.
func kubernetesRoutes() Entry {
	return Entry{
		Kind:        catalog.Kubernetes(),
		Name:        "Kubernetes routes",
		BackendForm: "a Service as service/NAMESPACE/NAME:PORT, or labels as selector/NAMESPACE/LABEL=VALUE",
		RouteForm:   kubernetesForm,
		IsGroupID: func(text string) bool {
			return strings.HasPrefix(text, "service/") || strings.HasPrefix(text, "selector/")
		},
		missing: "Check the kind, the namespace, the name and the rule, and the current context of the kubeconfig.",
		advice:  kubernetesAdvice,
		failed: func(err error) (string, bool) {
			call, is := errors.AsType[*kubernetes.CallError](err)
			if !is {
				return "", false
			}
			return call.ID, true
		},
		network:   "the network to the API server of the cluster, and the current context of the kubeconfig",
		IsCluster: true,
		Connect: func(session Session) (Clients, error) {
			forward, rollback, err := kubernetes.NewRouters(session.Kubernetes)
			if err != nil {
				return Clients{}, err
			}
			recorder := kubernetes.NewRecorder(forward)
			return Clients{Router: forward, Rollback: rollback, Recorder: recorder, Beside: recorder.Beside}, nil
		},
	}
}

// kubernetesAdvice is what to do about an error of a cluster.
func kubernetesAdvice(err error) string {
	if failed, is := errors.AsType[*kubeconfig.Error](err); is {
		return failed.Action
	}
	if rule, is := errors.AsType[*kubernetes.RuleError](err); is && len(rule.Rules) > 0 {
		id, _, _ := strings.Cut(rule.Route, "#")
		if errors.Is(rule.Err, kubernetes.ErrSameName) {
			return fmt.Sprintf("Give each rule of %s a name of its own, then run the command again.", id)
		}
		return fmt.Sprintf("Use the rule that is meant, such as %s#%s.", id, rule.Rules[0])
	}
	if errors.Is(err, kubernetes.ErrMalformed) {
		var kinds []string
		for _, kind := range kubernetes.Kinds() {
			kinds = append(kinds, string(kind))
		}
		slices.Sort(kinds)
		return "Use " + kubernetesForm + ". Kinds: " + strings.Join(kinds, ", ") + "."
	}
	call, is := errors.AsType[*kubernetes.CallError](err)
	switch {
	case !is:
		return ""
	case errors.Is(err, kubernetes.ErrNotInstalled):
		return "Check that the current context of the kubeconfig is that of the cluster with the route."
	case errors.Is(err, traffic.ErrExpired):
		return "The credentials for the Kubernetes API are expired or invalid. Renew them, then run the command again."
	case errors.Is(err, traffic.ErrDenied):
		return fmt.Sprintf("Allow the verb %s on %s in a Role, then run the command again.", call.Verb, call.Resource)
	}
	return ""
}
