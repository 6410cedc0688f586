package provider_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// lambdaSite is a function with four versions, and an alias of version 1.
type lambdaSite struct {
	*bench
	functions *lambda.Client
	alias     string
}

func newLambdaSite(t *testing.T) *lambdaSite {
	t.Helper()
	s := &lambdaSite{bench: newBench(t)}
	s.functions = lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: new(s.srv.URL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")})
	s.alias = s.function("shop", 4)
	return s
}

// function creates a function with versions 1 to n, and its alias live of version 1.
func (s *lambdaSite) function(name string, n int) (alias string) {
	s.t.Helper()
	_, err := s.functions.CreateFunction(s.t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: new("arn:aws:iam::123456789012:role/shop"), Code: &types.FunctionCode{ZipFile: []byte("1")},
		Runtime: types.RuntimeProvidedal2023, Handler: new("bootstrap"), Publish: true})
	s.must(err)
	for i := 2; i <= n; i++ {
		_, err := s.functions.UpdateFunctionCode(s.t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: []byte(strconv.Itoa(i)), Publish: true})
		s.must(err)
	}
	out, err := s.functions.CreateAlias(s.t.Context(), &lambda.CreateAliasInput{FunctionName: &name, Name: new("live"), FunctionVersion: new("1")})
	s.must(err)
	return *out.AliasArn
}

// weights returns the share of each version of the alias.
func (s *lambdaSite) weights() map[string]float64 {
	s.t.Helper()
	out, err := s.functions.GetAlias(s.t.Context(), &lambda.GetAliasInput{FunctionName: new("shop"), Name: new("live")})
	s.must(err)
	found := map[string]float64{*out.FunctionVersion: 1}
	if out.RoutingConfig != nil {
		for version, weight := range out.RoutingConfig.AdditionalVersionWeights {
			found[version] = weight
			found[*out.FunctionVersion] -= weight
		}
	}
	return found
}

func (s *lambdaSite) mustHave(version string) {
	s.t.Helper()
	if got := s.weights(); !maps.Equal(got, map[string]float64{version: 1}) {
		s.t.Errorf("the alias has %v, want version %s", got, version)
	}
}

// lambdaRelease is a configuration with environments that are versions.
type lambdaRelease struct {
	*lambdaSite
	traffic, strategy, gates, environments string
}

func (s *lambdaSite) release(active string) lambdaRelease {
	return lambdaRelease{lambdaSite: s, traffic: fmt.Sprintf("active = %q", active), strategy: `steps = [{ percent = 0.1, hold = "1ms" }, { percent = 50, hold = "1ms" }]`,
		environments: `{ blue = "1", green = "2" }`}
}

func (r lambdaRelease) String() string {
	return settings(r.bench, "") + fmt.Sprintf(`
resource "bluegreen_environment" "app" {
  for_each          = %[2]s
  name              = each.key
  version           = each.value
  function_versions = { api = each.value }
  backed_by         = []
  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "api" {
  lambda {
    routes = { api = [%[1]q] }
  }
  environments = bluegreen_environment.app
  %[3]s
  strategy {
    settle = "1ms"
    %[4]s
  }
  health {
    steady_for = "1ms"
  }
  %[5]s
}
`, r.alias, r.environments, r.traffic, r.strategy, r.gates)
}

// A release of function versions: by a tenth of a percent, with one call per step, a revert, and the
// next release in place of the idle version.
func TestAliases_release(t *testing.T) {
	t.Parallel()
	s, w := newLambdaSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHave("1")
	w.write(s.release("green").String())
	w.plan().ok()
	w.scheduleIs("schedule")
	mark := len(s.srv.Calls())
	w.applyPlan().ok()
	s.mustHave("2")
	if n := s.updates(mark); n != 3 {
		t.Errorf("%d updates for 3 steps", n)
	}
	w.isEmpty()
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHave("1")

	next := s.release("green")
	next.environments = `{ blue = "1", green = "3" }`
	w.write(next.String())
	w.apply().ok()
	s.mustHave("3")
	last := s.release("green")
	last.environments = `{ green = "3" }`
	w.write(last.String())
	w.apply().ok()
	s.mustHave("3")
	w.isEmpty()
}

// A gate that fails on the new version returns the alias with one call, and the version is rejected.
func TestAliases_gateFails(t *testing.T) {
	t.Parallel()
	s, w := newLambdaSite(t), newWorkspace(t)
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.strategy = `steps = [{ percent = 10, hold = "1m" }]`
	r.gates = smokeGate(server.URL, "10ms", `when = "during"`)
	w.write(r.String())
	mark := len(s.srv.Calls())
	w.apply().failsAs("error")
	s.mustHave("1")
	if n := s.updates(mark); n != 2 {
		t.Errorf("%d updates, want one of the step and one of the rollback", n)
	}
	w.apply().failsAs("again")
}

// updates counts the updates of the alias since a call.
func (s *lambdaSite) updates(mark int) int {
	n := 0
	for _, call := range s.srv.Calls()[mark:] {
		if call.Action == "UpdateAlias" {
			n++
		}
	}
	return n
}

// What is wrong with aliases and versions is said at plan where it is known, and otherwise before anything is written.
func TestAliases_badInput(t *testing.T) {
	t.Parallel()
	s, w := newLambdaSite(t), newWorkspace(t)
	other := s.function("other", 2)
	latest, err := s.functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: new("shop"), Name: new("latest"), FunctionVersion: new("$LATEST")})
	s.must(err)
	api, mark := fmt.Sprintf("routes = { api = [%q] }", s.alias), len(s.srv.Calls())
	for _, c := range []struct {
		name   string
		change func(text string) string
	}{
		{"latest", replace(`green = "2"`, `green = "$LATEST"`)},
		{"version ARN", replace(`{ api = each.value }`, fmt.Sprintf(`{ api = "%s" }`, strings.Replace(s.alias, ":live", ":2", 1)))},
		{"alias of latest", replace(api, fmt.Sprintf("routes = { api = [%q] }", *latest.AliasArn))},
		{"no alias", replace(api, fmt.Sprintf("routes = { api = [%q] }", strings.TrimSuffix(s.alias, ":live")))},
		{"a version as route", replace(api, fmt.Sprintf("routes = { api = [%q] }", strings.Replace(s.alias, ":live", ":2", 1)))},
		{"two functions", replace(api, fmt.Sprintf("routes = { api = [%q, %q] }", s.alias, other))},
		{"third version", replaceAll(`blue = "1", green = "2"`, `blue = "1", green = "2", red = "3"`, `active = "blue"`, "weights = { blue = 50, green = 30, red = 20 }")},
		{"not a number", replace(`green = "2"`, `green = "v2"`)},
	} {
		w.write(c.change(s.release("blue").String()))
		w.plan().failsAs(c.name)
	}
	for _, c := range []struct {
		name   string
		change func(text string) string
	}{
		{"no such version", replace(`green = "2"`, `green = "99"`)},
		{"no such alias", replace(":live\"", ":absent\"")},
	} {
		w.write(c.change(s.release("green").String()))
		w.apply().failsAs(c.name)
	}
	if n := s.updates(mark); n > 0 {
		t.Errorf("%d updates", n)
	}
}

// Somebody shifts to a third version: an alias cannot have the new one as well.
func TestAliases_thirdVersionOutside(t *testing.T) {
	t.Parallel()
	s, w := newLambdaSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	_, err := s.functions.UpdateAlias(t.Context(), &lambda.UpdateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1"),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"4": 0.25}}})
	s.must(err)
	w.write(s.release("green").String())
	w.plan().failsAs("plan")
	if got := s.weights(); got["4"] != 0.25 {
		t.Errorf("the alias has %v", got)
	}
}
