package kubernetes

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// Beside returns the routes in the namespaces of routes that have the record of a shift, each as its record names
// it, and the routes themselves: a shift is only known as a whole. It takes one request per kind and namespace. It
// returns the errors of ParseRoute and a CallError.
func (r *Recorder) Beside(ctx context.Context, routes []string) ([]string, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	var namespaces []string
	for _, id := range routes {
		route, err := ParseRoute(id)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(namespaces, route.Namespace) {
			namespaces = append(namespaces, route.Namespace)
		}
	}
	all := slices.Clone(routes)
	for _, namespace := range namespaces {
		for _, kind := range Kinds() {
			objects, err := r.router.calls.list(ctx, kind.info(), namespace, "")
			if errors.Is(err, ErrNotInstalled) {
				continue
			}
			if err != nil {
				return nil, err
			}
			for _, object := range objects {
				all = append(all, recorded(kind, object)...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// recorded returns the routes of an object that have a record. A rule may be named in several ways.
func recorded(kind Kind, object unstructured.Unstructured) []string {
	p := place{route: Route{Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}, object: object.Object}
	names := []string{""}
	for i := range p.rules() {
		p.index = i
		names = append(names, strconv.Itoa(i))
		if name := text(p.rule(), "name"); name != "" {
			names = append(names, name)
		}
	}
	var found []string
	for _, name := range names {
		route := p.route
		if route.Rule = name; len(decodeRecords(route, object.GetAnnotations())) > 0 {
			found = append(found, route.String())
		}
	}
	return found
}
