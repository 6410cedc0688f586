package kubernetes

import (
	"context"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// Tool is what else manages an object.
type Tool string

// The tools. Each has its own remedy.
const (
	ArgoCD      Tool = "Argo CD"           // spec.ignoreDifferences of the Application, with RespectIgnoreDifferences
	Flux        Tool = "Flux"              // the annotation kustomize.toolkit.fluxcd.io/ssa: IfNotPresent
	Helm        Tool = "Helm"              // the next upgrade resets what the chart sets
	ServerApply Tool = "server-side apply" // another field manager: computed_fields of kubernetes_manifest
)

// Managed is a route whose object somebody else manages too, so that its weights may be reset.
type Managed struct {
	Route string
	Tool  Tool
	Name  string // of the Argo CD application, Flux kustomization, Helm release or field manager
}

// Managers returns what else manages the objects of routes, in the order of the routes: Argo CD, Flux and Helm by
// their labels and annotations, and the field managers that applied the weights with server-side apply. It
// takes one request per route.
func (r *Router) Managers(ctx context.Context, routes []string) ([]Managed, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found, errs := awscall.Each(routes, maxConcurrent, func(id string) ([]Managed, error) {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		object, err := r.object(ctx, route)
		if err != nil {
			return nil, err
		}
		return managersOf(route, object.Object), nil
	})
	if err := awscall.FirstOf(routes, errs); err != nil {
		return nil, err
	}
	var all []Managed
	for _, id := range routes {
		all = append(all, found[id]...)
	}
	return all, nil
}

func managersOf(route Route, object map[string]any) []Managed {
	metadata := part(object, "metadata")
	labels, annotations := part(metadata, "labels"), part(metadata, "annotations")
	var all []Managed
	add := func(tool Tool, name string) {
		if name != "" {
			all = append(all, Managed{route.String(), tool, name})
		}
	}
	argo := text(labels, "argocd.argoproj.io/instance")
	if id := text(annotations, "argocd.argoproj.io/tracking-id"); argo == "" {
		argo, _, _ = strings.Cut(id, ":")
	}
	add(ArgoCD, argo)
	for _, by := range []string{"kustomize", "helm"} {
		add(Flux, text(labels, by+".toolkit.fluxcd.io/name"))
	}
	add(Helm, text(annotations, "meta.helm.sh/release-name"))
	for _, name := range appliers(route, metadata) {
		add(ServerApply, name)
	}
	return all
}

// appliers returns the field managers that own the weights by server-side apply, sorted. A write of the router makes
// itself the owner in their place, so from then on it is those that own another field of the spec: their next apply
// conflicts or, if it is forced, resets the weights.
func appliers(route Route, metadata map[string]any) []string {
	field := "f:" + route.Kind.info().rules
	if route.Kind == Service {
		field = "f:selector"
	}
	owned := slices.ContainsFunc(list(metadata, "managedFields"), func(x any) bool {
		entry, _ := x.(map[string]any)
		return text(entry, "manager") == manager && text(entry, "operation") == "Update" && owns(entry, field)
	})
	var names []string
	for _, x := range list(metadata, "managedFields") {
		entry, _ := x.(map[string]any)
		if name := text(entry, "manager"); text(entry, "operation") == "Apply" && name != manager && !slices.Contains(names, name) &&
			(owns(entry, field) || owned && len(part(part(entry, "fieldsV1"), "f:spec")) > 0) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// owns reports whether an entry of managedFields has a field of the spec.
func owns(entry map[string]any, field string) bool {
	_, has := part(part(entry, "fieldsV1"), "f:spec")[field]
	return has
}
