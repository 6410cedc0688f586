package platform

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// kubernetesDetail words an error of Kubernetes.
func kubernetesDetail(err error) (input.Detail, bool) {
	if failed, is := errors.AsType[*kubeconfig.Error](err); is {
		return input.Detail{Cause: failed.Cause, Action: failed.Action + " Then apply again."}, true
	}
	facts := input.CauseFact(err)
	if group, is := errors.AsType[*kubernetes.GroupError](err); is {
		return clusterDetail(group), true
	}
	if rule, is := errors.AsType[*kubernetes.RuleError](err); is {
		return input.Detail{Cause: ruleText(rule), Action: ruleAction(rule) + " Then apply again.", Facts: []input.Fact{{"Route", rule.Route}}}, true
	}
	call, named := errors.AsType[*kubernetes.CallError](err)
	switch {
	case errors.Is(err, kubernetes.ErrChanged):
		return input.Detail{
			Cause:  "Something else changed the weights of a route at the same time, so that it was not written.",
			Action: "Find what else changes the object, such as Argo CD, Flux, or a kubernetes_manifest without computed_fields. Then apply again.",
			Facts:  facts,
		}, true
	case errors.Is(err, kubernetes.ErrBusy):
		return input.Detail{
			Cause:  "Something else changed the object again and again while it was written, though not its weights.",
			Action: "Find what writes to the object all the time, such as two controllers that disagree. Then apply again.",
			Facts:  facts,
		}, true
	case errors.Is(err, kubernetes.ErrNotInstalled):
		return notInstalledDetail(call, facts), true
	case errors.Is(err, kubernetes.ErrNoDestinationPort):
		return input.Detail{Cause: destinationText, Action: destinationAction + " Then apply again.", Facts: facts}, true
	case errors.Is(err, kubernetes.ErrInvalid):
		return input.Detail{Cause: "A route cannot have these weights.", Action: "Fix what the cause names, then apply again.", Facts: facts}, true
	case !named:
		return input.Detail{}, false
	}
	return kubernetesCallDetail(call, err), true
}

// kubernetesCallDetail is about a request that failed.
func kubernetesCallDetail(call *kubernetes.CallError, err error) input.Detail {
	facts := input.CauseFact(err)
	switch {
	case errors.Is(err, traffic.ErrDenied):
		return deniedDetail(call, facts)
	case errors.Is(err, traffic.ErrExpired):
		return input.Detail{
			Cause: "The credentials for the Kubernetes API are expired or invalid.",
			Action: "Renew the credentials, then apply again. A token in kubernetes.token does not renew itself during a shift, as that of aws_eks_cluster_auth, which is valid for 15 minutes: " +
				"use exec instead, such as aws eks get-token.",
			Facts: facts,
		}
	case errors.Is(err, traffic.ErrThrottled):
		return input.Detail{Cause: "The Kubernetes API throttled the calls until the time for them was used up.", Action: "Apply again later.", Facts: facts}
	case errors.Is(err, traffic.ErrNotFound) && call.ID != "":
		action := "Check the kind, the namespace, the name and the context of the kubeconfig, or remove it from the switch."
		if _, err := kubernetes.ParseGroup(call.ID); err == nil {
			action = "Create it, or correct services of the environment. Then apply again."
		}
		return input.Detail{Cause: fmt.Sprintf("The %s does not exist.", kubernetesName(call.ID)), Action: action, Facts: facts}
	case errors.Is(err, traffic.ErrIncomplete):
		return input.Detail{
			Cause:  fmt.Sprintf("What answered %s %s is not the Kubernetes API. That does not mean that anything is gone.", call.Verb, call.Resource),
			Action: "Run Terraform again. If it fails again, check what answers between Terraform and the cluster, such as a proxy or a login page.",
			Facts:  facts,
		}
	case call.Refused():
		return input.Detail{
			Cause:  "The Kubernetes API refused the request, and refuses it again until its cause is fixed.",
			Action: "Fix what the cause names, such as an admission policy or the schema of the object. Then apply again.",
			Facts:  facts,
		}
	}
	return input.Detail{
		Cause: fmt.Sprintf("The Kubernetes API did not answer %s %s, or answered with a server error.", call.Verb, call.Resource),
		Action: "Run Terraform again. If it fails again, check the network from where Terraform runs to the API server, its certificate, " +
			"and the command of exec where the cause names it.",
		Facts: facts,
	}
}

// deniedDetail is about a call that RBAC does not allow.
func deniedDetail(call *kubernetes.CallError, facts []input.Fact) input.Detail {
	resource, group, has := strings.Cut(call.Resource, ".")
	if !has {
		group = `""`
	}
	where, role := " in all namespaces", "ClusterRole"
	rule := fmt.Sprintf("apiGroups: [%s], resources: [%s], verbs: [%s]", group, resource, call.Verb)
	facts = append([]input.Fact{{"Verb", call.Verb}, {"Resource", resource}, {"API group", group}}, facts...)
	if namespace := call.Namespace; namespace != "" {
		where, role = " in the namespace "+namespace, "Role in the namespace "+namespace
		facts = append([]input.Fact{{"Namespace", namespace}}, facts...)
	}
	return input.Detail{
		Cause:  fmt.Sprintf("RBAC does not allow the credentials to %s %s%s.", call.Verb, call.Resource, where),
		Action: fmt.Sprintf("Add the rule %s to a %s, then apply again.", rule, role),
		Facts:  facts,
	}
}

// notInstalledDetail is about an API that the cluster does not have.
func notInstalledDetail(call *kubernetes.CallError, facts []input.Fact) input.Detail {
	what := "an API"
	if call != nil {
		what = call.Resource
	}
	return input.Detail{
		Cause:  fmt.Sprintf("The cluster does not serve %s in a version that is known here.", what),
		Action: "Install the custom resource definitions of Gateway API or Istio, or check that the kubeconfig names the right cluster. Then apply again.",
		Facts:  facts,
	}
}

// clusterDetail is about a Service or a route that is not fit for a shift.
func clusterDetail(e *kubernetes.GroupError) input.Detail {
	d := input.Detail{Facts: []input.Fact{{"Route", e.Route}, {"Service", e.Group}, {"Cause", e.Error()}}}
	switch {
	case errors.Is(e, kubernetes.ErrNoPort):
		d.Cause = fmt.Sprintf("The Service %s has no such port: %s.", kubernetes.Label(e.Group), e.Detail)
		d.Action = "Use a port of spec.ports of the Service, then apply again."
	case errors.Is(e, kubernetes.ErrNoGrant):
		d.Cause = fmt.Sprintf("The %s may not send traffic to %s of another namespace: no ReferenceGrant there allows it.", kubernetes.Label(e.Route), kubernetes.Label(e.Group))
		d.Action = "Create a ReferenceGrant in the namespace of the Service, from the kind and namespace of the route to Service. Then apply again."
	case errors.Is(e, kubernetes.ErrTooManyRefs):
		d.Cause = fmt.Sprintf("The %s has no room for the backends: %s.", kubernetes.Label(e.Route), e.Detail)
		d.Action = "Remove the backendRefs at weight 0 that no environment uses, then apply again."
	case errors.Is(e, kubernetes.ErrNoParents):
		d.Cause = fmt.Sprintf("The %s has no parentRefs, so that no Gateway uses it.", kubernetes.Label(e.Route))
		d.Action = "Set spec.parentRefs of the route, then apply again."
	default:
		d.Cause = fmt.Sprintf("No Gateway has accepted the %s with its backends: %s.", kubernetes.Label(e.Route), strings.TrimSuffix(e.Detail, "."))
		d.Action = "Fix what the condition of the route names (kubectl describe), and check that the controller of its Gateway runs. Then apply again."
	}
	return d
}
