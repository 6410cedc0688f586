package kubernetes_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// everyKind is a cluster with a route of every kind, in namespace shop, and their ids.
func everyKind(t *testing.T) (*cluster, map[kubernetes.Kind]string) {
	t.Helper()
	c := selecting(t)
	for _, name := range []string{"web-blue", "web-green"} {
		c.Put(service(name))
		c.Put(endpoints(name, "ready", "ready"))
	}
	ids := map[kubernetes.Kind]string{kubernetes.Service: webService, kubernetes.VirtualService: mesh}
	c.Put(virtualService("web", []any{destination("web-blue", 1)}))
	for kind, name := range map[kubernetes.Kind]string{kubernetes.HTTPRoute: "HTTPRoute", kubernetes.GRPCRoute: "GRPCRoute", kubernetes.TCPRoute: "TCPRoute"} {
		c.Put(route(name, "web", []any{backendRef("web-blue", 1)}))
		ids[kind] = string(kind) + "/shop/web"
	}
	return c, ids
}

// rulesOf are the rules of a token that has the permissions in namespace shop.
func rulesOf(all []kubernetes.Permission) []localkube.Rule {
	var rules []localkube.Rule
	for _, p := range all {
		rules = append(rules, localkube.Rule{Verbs: []string{p.Verb}, Groups: []string{p.Group}, Resources: []string{p.Resource}, Namespaces: []string{"shop"}})
	}
	return rules
}

// plan makes every request of a plan.
func (c *cluster) plan(t *testing.T, id string, groups []string) error {
	t.Helper()
	reader := kubernetes.NewReader(c.forward)
	_, err := reader.Read(t.Context(), []string{id})
	errs := []error{err}
	_, err = reader.IdleHealth(t.Context(), groups)
	errs = append(errs, err)
	_, err = reader.References(t.Context(), groups)
	errs = append(errs, err)
	_, err = reader.OtherRoutes(t.Context(), []string{id}, groups)
	errs = append(errs, err)
	_, err = reader.Records(t.Context(), []string{id})
	errs = append(errs, err)
	_, err = c.forward.Managers(t.Context(), []string{id})
	return errors.Join(append(errs, err)...)
}

// apply makes every request of an apply and of the command.
func (c *cluster) apply(t *testing.T, id string, groups []string) error {
	t.Helper()
	known, err := c.forward.Read(t.Context(), []string{id})
	errs := []error{err}
	if len(known) > 0 {
		next := known[0]
		next.Weights = map[string]int{groups[1]: 1}
		errs = append(errs, c.forward.Write(t.Context(), id, next), c.rollback.Write(t.Context(), id, known[0]))
		remove := c.Inject(localkube.Fault{Kind: localkube.ServerError, Verb: "get", Resource: pluralOf(id)})
		errs = append(errs, c.rollback.Write(t.Context(), id, known[0]))
		remove()
	}
	_, err = c.forward.Health(t.Context(), groups)
	errs = append(errs, err)
	_, err = c.forward.InSync(t.Context(), []string{id})
	errs = append(errs, err, c.forward.CheckGroups(t.Context(), traffic.Entry{Name: "web", Routes: []string{id}, Groups: groups}))
	_, err = c.forward.References(t.Context(), groups)
	errs = append(errs, err)
	recorder := kubernetes.NewRecorder(c.forward)
	for _, do := range []func() error{
		func() error { return recorder.Put(t.Context(), []string{id}, traffic.Record{Shift: "s1"}, true) },
		func() error {
			return recorder.Ask(t.Context(), []string{id}, traffic.Request{Verb: traffic.Verbs()[0], Shift: "s1", Nonce: "n"})
		},
		func() error { _, err := recorder.Requests(t.Context(), []string{id}); return err },
		func() error { return recorder.RemoveRequests(t.Context(), []string{id}, traffic.Verbs()) },
		func() error { return recorder.Remove(t.Context(), []string{id}, "s1") },
	} {
		errs = append(errs, do())
	}
	return errors.Join(errs...)
}

func pluralOf(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	return kind + "s"
}

// With exactly its permissions everything succeeds. Without one of them something fails, and names it.
func TestPermissions_areExact(t *testing.T) {
	for _, kind := range kubernetes.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			c, ids := everyKind(t)
			groups := []string{group("web-blue"), group("web-green")}
			if kind == kubernetes.Service {
				groups = []string{selector("blue"), selector("green")}
			}
			all := kubernetes.Permissions(kind)
			c.wantExactly(t, all, func() error { return errors.Join(c.plan(t, ids[kind], groups), c.apply(t, ids[kind], groups)) })
			c.wantExactly(t, kubernetes.ForPlan(all), func() error { return c.plan(t, ids[kind], groups) })
		})
	}
}

// wantExactly checks that requests need all permissions and no others.
func (c *cluster) wantExactly(t *testing.T, all []kubernetes.Permission, run func() error) {
	t.Helper()
	c.Allow(token, rulesOf(all)...)
	if err := run(); err != nil {
		t.Errorf("with %v: %v", all, err)
	}
	for i, p := range all {
		c.Allow(token, rulesOf(slices.Concat(all[:i], all[i+1:]))...)
		err := run()
		want := fmt.Sprintf("cannot %s resource %q in API group %q in the namespace \"shop\"", p.Verb, p.Resource, p.Group)
		if !errors.Is(err, traffic.ErrDenied) || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s of %s: %v", p.Verb, p.Resource, err)
		}
	}
}

// A ClusterRole with Elsewhere finds the routes of all namespaces. Without one of its rules, something is not read.
func TestElsewhere_isExact(t *testing.T) {
	c := shopWith(t)
	for _, kind := range []string{"HTTPRoute", "GRPCRoute", "TCPRoute"} {
		c.Put(grant(kind, "edge", ""))
	}
	own, elsewhere := rulesOf(kubernetes.Permissions(kubernetes.HTTPRoute)), kubernetes.Elsewhere()
	for i := range len(elsewhere) + 1 {
		rules := slices.Clone(own)
		for j, p := range elsewhere {
			if j != i {
				rules = append(rules, localkube.Rule{Verbs: []string{p.Verb}, Groups: []string{p.Group}, Resources: []string{p.Resource}})
			}
		}
		c.Allow(token, rules...)
		found, err := c.forward.FindReferences(t.Context(), []string{group("web-blue")})
		must(t, err)
		switch {
		case i == len(elsewhere) && len(found.Unread) != 0:
			t.Errorf("with all: %v was not read", found.Unread)
		case i < len(elsewhere) && (len(found.Unread) != 1 || !strings.Contains(found.Unread[0].Err.Error(), elsewhere[i].Resource)):
			t.Errorf("without %s: %v was not read", elsewhere[i].Resource, found.Unread)
		}
	}
}

// The roles are YAML with the permissions in them.
func TestRole(t *testing.T) {
	all := kubernetes.Permissions(kubernetes.Kinds()...)
	for part, tt := range map[string]struct {
		text string
		want []kubernetes.Permission
	}{
		"apply":     {kubernetes.Role("bluegreen", "shop", all), all},
		"plan":      {kubernetes.Role("bluegreen-plan", "shop", kubernetes.ForPlan(all)), kubernetes.ForPlan(all)},
		"httproute": {kubernetes.Role("bluegreen", "shop", kubernetes.Permissions(kubernetes.HTTPRoute)), kubernetes.Permissions(kubernetes.HTTPRoute)},
		"service":   {kubernetes.Role("bluegreen", "shop", kubernetes.Permissions(kubernetes.Service)), kubernetes.Permissions(kubernetes.Service)},
		"elsewhere": {kubernetes.Role("bluegreen-references", "", kubernetes.Elsewhere()), kubernetes.Elsewhere()},
	} {
		golden.CheckPart(t, part, tt.text)
		var role struct {
			Rules []struct{ APIGroups, Resources, Verbs []string }
		}
		decoded := map[string]any{}
		must(t, yaml.UnmarshalStrict([]byte(tt.text), &decoded))
		must(t, yaml.Unmarshal([]byte(strings.ReplaceAll(tt.text, "apiGroups", "apigroups")), &role))
		var got []string
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				got = append(got, verb+" "+rule.Resources[0]+"."+rule.APIGroups[0])
			}
		}
		var want []string
		for _, p := range tt.want {
			want = append(want, p.Verb+" "+p.Resource+"."+p.Group)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s allows %v, want %v", part, got, want)
		}
	}
}
