package route53_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestRouter_contract(t *testing.T) {
	t.Parallel()
	routertest.Run(t, func(t *testing.T) routertest.Fixture {
		d, f := fixture(t)
		f.Router = d.forward
		return f
	})
}

func TestRollbackRouter_contract(t *testing.T) {
	t.Parallel()
	routertest.Run(t, func(t *testing.T) routertest.Fixture {
		d, f := fixture(t)
		f.Router = d.rollback
		return f
	})
}

// fixture is a name with six groups of types A and AAAA. All have health checks but the third.
func fixture(t *testing.T) (*dns, routertest.Fixture) {
	t.Helper()
	d := newDNS(t)
	f := routertest.Fixture{
		Limits: route53.Limits(), Unchecked: true,
		Routes:       []string{d.route(appName, "A"), d.route(appName, "AAAA")},
		MissingRoute: d.route("other.example.com", "A"), MissingGroup: d.group(appName, "absent"),
	}
	for i := range 6 {
		identifier := fmt.Sprint("g", i)
		f.Groups = append(f.Groups, d.group(appName, identifier))
		for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
			s := record(kind, identifier, max(0, 1-i))
			if i != 2 {
				s.HealthCheckId = new(d.healthCheck())
			}
			d.change(types.ChangeActionCreate, s)
		}
	}
	f.Change = func(t *testing.T, route string, weights map[string]int) {
		t.Helper()
		parsed, err := route53.ParseRoute(route)
		must(t, err)
		each := map[string]int{}
		for group, n := range weights {
			each[route53.Identifier(group)] = n
		}
		d.setWeights(parsed.Name, parsed.Type, each)
	}
	f.Extra = func(*testing.T) string { return d.beside() }
	return d, f
}
