package platform

import (
	"context"
	"fmt"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// Managed is a route whose object something else manages too, and a sentence that says what to do about it.
type Managed struct{ Route, Text string }

// kubernetesManaged finds what else manages the objects of routes.
func kubernetesManaged(router *kubernetes.Router) func(context.Context, []string) ([]Managed, error) {
	return func(ctx context.Context, routes []string) ([]Managed, error) {
		found, err := router.Managers(ctx, routes)
		if err != nil {
			return nil, err
		}
		var all []Managed
		for _, m := range found {
			all = append(all, Managed{m.Route, managedText(m)})
		}
		return all, nil
	}
}

// managedText warns of what may reset the weights, with the remedy.
func managedText(m kubernetes.Managed) string {
	field, pointer := "spec.rules", ".spec.rules[].backendRefs"
	route, _ := kubernetes.ParseRoute(m.Route) // read, so it is one
	switch route.Kind {
	case kubernetes.VirtualService:
		field, pointer = "spec.http", ".spec.http[].route"
	case kubernetes.Service:
		field, pointer = "spec.selector", ".spec.selector"
	case kubernetes.HTTPRoute, kubernetes.GRPCRoute, kubernetes.TCPRoute:
	}
	who, remedy := fmt.Sprintf("%s (%s)", m.Tool, m.Name), ""
	switch m.Tool {
	case kubernetes.ArgoCD:
		remedy = fmt.Sprintf("Add %s to ignoreDifferences of the Application, and RespectIgnoreDifferences=true to its syncOptions.", pointer)
	case kubernetes.Flux:
		remedy = "Set its annotation kustomize.toolkit.fluxcd.io/ssa to IfNotPresent, or in a HelmRelease driftDetection.ignore."
	case kubernetes.Helm:
		remedy = fmt.Sprintf("Do not change its %s by an upgrade of the release, or take the object out of the chart.", field)
	case kubernetes.ServerApply:
		who = fmt.Sprintf("the field manager %s (server-side apply)", m.Name)
		remedy = fmt.Sprintf(`In a kubernetes_manifest, set computed_fields = ["metadata.annotations", "metadata.labels", %q]; elsewhere, leave %[1]s out of what it applies.`, field)
	}
	return fmt.Sprintf("%s also manages %s and may reset the traffic. %s", who, kubernetes.Label(m.Route), remedy)
}
