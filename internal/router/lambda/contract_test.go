package lambda_test

import (
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
)

func TestRouter_contract(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture { return contractFixture(newSite(t, 6), false) })
}

// The router for rollbacks is a router like the other one.
func TestRouter_contractOfRollbacks(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Fixture { return contractFixture(newSite(t, 6), true) })
}

func contractFixture(s *site, rollback bool) routertest.Fixture {
	f := routertest.Fixture{
		Router: s.forward, Limits: lambda.Limits(), Routes: []string{live, s.alias("test", "1")}, Functions: true,
		MissingRoute: function + ":absent", MissingGroup: version(99),
	}
	if rollback {
		f.Router = s.rollback
	}
	for n := 1; n <= 6; n++ {
		f.Groups = append(f.Groups, version(n))
	}
	f.Change = func(t *testing.T, route string, weights map[string]int) {
		t.Helper()
		a, err := lambda.ParseRoute(route)
		must(t, err)
		var primary string
		additional, total := map[string]float64{}, 0
		for _, n := range weights {
			total += n
		}
		for group, n := range weights {
			if primary == "" {
				primary = lambda.VersionOf(group)
				continue
			}
			additional[lambda.VersionOf(group)] = float64(n) / float64(total)
		}
		_, err = s.api.UpdateAlias(t.Context(), &api.UpdateAliasInput{
			FunctionName: aws.String(a.Function), Name: &a.Qualifier, FunctionVersion: &primary, RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: additional},
		})
		must(t, err)
	}
	f.Extra = func(t *testing.T) string { return aws.ToString(s.get().Description) }
	return f
}

// All shares that a shift can have are read as they were written, whichever version the alias has, and no
// weight has more than three digits.
func TestRouter_everyShareIsExact(t *testing.T) {
	s := newSite(t, 2)
	for share := range 1001 {
		weights := map[string]int{version(1): 1000 - share, version(2): share}
		must(t, s.write(s.forward, weights))
		got := s.read()
		for group, n := range weights {
			if n != got.Weights[group] {
				t.Fatalf("wrote %v, read %v", weights, got.Weights)
			}
		}
		if config := s.get().RoutingConfig; config != nil {
			for number, weight := range config.AdditionalVersionWeights {
				if text := strconv.FormatFloat(weight, 'f', -1, 64); number != "2" || len(text) > len("0.001") {
					t.Fatalf("%v: the alias has the weight %s of version %s", weights, text, number)
				}
			}
		}
	}
	if now := s.get(); *now.FunctionVersion != "2" || now.RoutingConfig != nil {
		t.Errorf("at 100 %% the alias has version %s and %v", *now.FunctionVersion, now.RoutingConfig)
	}
}
