package kubernetes_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// owned is an entry of managedFields for a field of the spec.
func owned(manager, operation, field string) object {
	return object{"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": object{"f:spec": object{field: object{}}}}
}

// What else manages a route resets its weights, unless it ignores them.
func TestManagers(t *testing.T) {
	argo := kubernetes.Managed{Tool: kubernetes.ArgoCD, Name: "shop"}
	for name, tt := range map[string]struct {
		id       string
		metadata object
		want     []kubernetes.Managed
	}{
		"nobody":            {metadata: object{"labels": object{"team": "shop"}}},
		"Argo CD by label":  {metadata: object{"labels": object{"argocd.argoproj.io/instance": "shop"}}, want: []kubernetes.Managed{argo}},
		"Argo CD by its id": {metadata: object{"annotations": object{"argocd.argoproj.io/tracking-id": "shop:gateway.networking.k8s.io/HTTPRoute:shop/web"}}, want: []kubernetes.Managed{argo}},
		"Flux":              {metadata: object{"labels": object{"kustomize.toolkit.fluxcd.io/name": "apps"}}, want: []kubernetes.Managed{{Tool: kubernetes.Flux, Name: "apps"}}},
		"Helm by Flux": {metadata: object{"labels": object{"helm.toolkit.fluxcd.io/name": "web"}, "annotations": object{"meta.helm.sh/release-name": "shop-web"}},
			want: []kubernetes.Managed{{Tool: kubernetes.Flux, Name: "web"}, {Tool: kubernetes.Helm, Name: "shop-web"}}},
		"server-side apply": {metadata: object{"managedFields": []any{
			owned("terraform", "Apply", "f:rules"), owned("another", "Apply", "f:rules"), owned("another", "Apply", "f:rules"),
			owned("bluegreen", "Apply", "f:rules"), owned("kubectl-edit", "Update", "f:rules"), owned("labeler", "Apply", "f:hostnames"),
		}}, want: []kubernetes.Managed{{Tool: kubernetes.ServerApply, Name: "another"}, {Tool: kubernetes.ServerApply, Name: "terraform"}}},
		"server-side apply of a VirtualService": {id: mesh, metadata: object{"managedFields": []any{owned("terraform", "Apply", "f:http"), owned("other", "Apply", "f:rules")}},
			want: []kubernetes.Managed{{Tool: kubernetes.ServerApply, Name: "terraform"}}},
		"server-side apply of a Service": {id: webService, metadata: object{"managedFields": []any{owned("terraform", "Apply", "f:selector"), owned("other", "Apply", "f:ports")}},
			want: []kubernetes.Managed{{Tool: kubernetes.ServerApply, Name: "terraform"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			id, o := web, route("HTTPRoute", "web", []any{backendRef("web-blue", 1)})
			switch tt.id {
			case mesh:
				id, o = tt.id, virtualService("web", []any{destination("web-blue", 1)})
			case webService:
				id, o = tt.id, service("web")
			}
			for field, value := range tt.metadata {
				inner(o, "metadata").(object)[field] = value //nolint:forcetypeassert // it is one
			}
			c.Put(o)
			got, err := c.forward.Managers(t.Context(), []string{id})
			for i := range tt.want {
				tt.want[i].Route = id
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestManagers_inTheOrderOfTheRoutes(t *testing.T) {
	c := shopWith(t)
	for _, name := range []string{"web", "api"} {
		o := route("HTTPRoute", name, []any{backendRef("web-blue", 1)})
		inner(o, "metadata").(object)["labels"] = object{"argocd.argoproj.io/instance": name} //nolint:forcetypeassert // it is one
		c.Put(o)
	}
	got, err := c.forward.Managers(t.Context(), []string{web, "httproute/shop/api"})
	if err != nil || len(got) != 2 || got[0].Name != "web" || got[1].Name != "api" {
		t.Errorf("got %v, %v", got, err)
	}
	must(t, c.write(t, c.forward, web, half)) // an update resets nothing later
	if got, err = c.forward.Managers(t.Context(), []string{web}); err != nil || len(got) != 1 {
		t.Errorf("after a write: %v, %v", got, err)
	}
	if _, err := c.forward.Managers(t.Context(), []string{web, "httproute/shop/absent"}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("a missing route returned %v", err)
	}
}
