package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Functions is a Lambda function with three versions and the alias live. Blue is version 1 and live, green is version 2.
type Functions struct {
	*World
	Client *lambda.Client
	Alias  string
	Config FunctionsConfig
}

// FunctionsConfig is what a user edits.
type FunctionsConfig struct {
	Active   string
	Versions map[string]string // of each environment
	Steps    string            // HCL
	Gates    string            // blocks
}

const functionName = "api"

// NewFunctions creates the function, and adopts its alias with a switch. It starts no load.
func NewFunctions(t *testing.T, options ...localaws.Option) *Functions {
	t.Helper()
	built := Build(t)
	balancer := startBalancer(t, options...)
	terraform := rehearsal.NewTerraform(built.Terraform, built.CLIConfig, balancer.URL(), t.TempDir())
	terraform.Limit = hangTimeout()
	f := &Functions{Config: FunctionsConfig{Active: "blue", Steps: `[{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`,
		Versions: map[string]string{"blue": "1", "green": "2"}}}
	f.World = &World{Release: &rehearsal.Release{Terraform: terraform}, Balancer: balancer, t: t}
	t.Cleanup(func() {
		if !t.Failed() {
			eventually(t, "no guardian is left", func() bool { return len(guardiansIn(terraform.Dir)) == 0 })
		}
	})
	f.Client = lambda.New(lambda.Options{Region: rehearsal.Region, BaseEndpoint: new(balancer.URL()), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	f.create()
	f.MustWrite()
	f.MustRun("init", "-no-color")
	f.MustApply()
	return f
}

// create creates the function. Each version has a server of its own.
func (f *Functions) create() {
	f.t.Helper()
	environment := func() *types.Environment {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`"ok"`)) }))
		f.t.Cleanup(server.Close)
		return &types.Environment{Variables: map[string]string{"LOCALAWS_HANDLER": server.URL}}
	}
	ctx := f.t.Context()
	_, err := f.Client.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: new(functionName), Role: new("arn:aws:iam::123456789012:role/api"),
		Code: &types.FunctionCode{ZipFile: []byte("1")}, Runtime: types.RuntimeProvidedal2023, Handler: new("bootstrap"), Publish: true, Environment: environment()})
	f.must(err)
	for range 2 {
		_, err = f.Client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: new(functionName), Environment: environment()})
		f.must(err)
		_, err = f.Client.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: new(functionName)})
		f.must(err)
	}
	alias, err := f.Client.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: new(functionName), Name: new("live"), FunctionVersion: new("1")})
	f.must(err)
	f.Alias = *alias.AliasArn
}

func (f *Functions) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// Update changes the alias outside Terraform: the main version and the share of another one, empty: none.
func (f *Functions) Update(version, other string, share float64) {
	f.t.Helper()
	routing := &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}}
	if other != "" {
		routing.AdditionalVersionWeights[other] = share
	}
	_, err := f.Client.UpdateAlias(f.t.Context(), &lambda.UpdateAliasInput{FunctionName: new(functionName), Name: new("live"), FunctionVersion: &version, RoutingConfig: routing})
	f.must(err)
}

// Describe changes the description of the alias outside Terraform.
func (f *Functions) Describe(text string) {
	f.t.Helper()
	_, err := f.Client.UpdateAlias(f.t.Context(), &lambda.UpdateAliasInput{FunctionName: new(functionName), Name: new("live"), Description: &text})
	f.must(err)
}

// MustWrite writes the configuration.
func (f *Functions) MustWrite() {
	f.t.Helper()
	f.must(os.WriteFile(filepath.Join(f.Terraform.Dir, "main.tf"), []byte(f.Config.hcl(f.Alias)), 0o600))
}

// MustActivate sets the active environment.
func (f *Functions) MustActivate(name string) {
	f.t.Helper()
	f.Config.Active = name
	f.MustWrite()
}

func (c FunctionsConfig) hcl(alias string) string {
	versions := ""
	for _, name := range slices.Sorted(maps.Keys(c.Versions)) {
		versions += fmt.Sprintf("    %s = %q\n", name, c.Versions[name])
	}
	return fmt.Sprintf(`terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

resource "bluegreen_environment" "api" {
  for_each = {
%s  }
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
    routes = { api = [%q] }
  }
  environments = bluegreen_environment.api
  active       = %q
  strategy {
    steps  = %s
    settle = "1ms"
  }
  health {
    steady_for = "1ms"
  }
  %s
}
`, versions, alias, c.Active, c.Steps, c.Gates)
}

// Shares returns the shares of invocations by version.
func (f *Functions) Shares() map[string]float64 { return f.Balancer.Lambda().Weights(f.Alias) }

// HasAll reports whether the version of an environment has all invocations.
func (f *Functions) HasAll(environment string) bool {
	return maps.Equal(f.Shares(), map[string]float64{f.Config.Versions[environment]: 1})
}

// Invocations is a load on the alias.
type Invocations struct {
	stop      context.CancelFunc
	ended     sync.WaitGroup
	All, Lost atomic.Int64
	first     atomic.Pointer[string] // what happened to the first that was lost
}

// Invoke starts a load on the alias, without retries.
func (f *Functions) Invoke() *Invocations {
	ctx, stop := context.WithCancel(context.Background())
	load := &Invocations{stop: stop}
	for range 2 {
		load.ended.Go(func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				load.one(f)
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		})
	}
	f.t.Cleanup(func() { load.Stop() })
	return load
}

// one invokes the alias once. It is never cut off.
func (l *Invocations) one(f *Functions) {
	ctx, cancel := context.WithTimeout(context.Background(), hangTimeout())
	defer cancel()
	out, err := f.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.Alias})
	l.All.Add(1)
	text := ""
	switch {
	case err != nil:
		text = err.Error()
	case out.FunctionError != nil:
		text = *out.FunctionError
	default:
		return
	}
	l.Lost.Add(1)
	l.first.CompareAndSwap(nil, &text)
}

// Stop ends the load.
func (l *Invocations) Stop() {
	l.stop()
	l.ended.Wait()
}

// LostNone ends the load and checks that every invocation was answered.
func (l *Invocations) LostNone(t *testing.T) {
	t.Helper()
	l.Stop()
	if first := l.first.Load(); first != nil {
		t.Errorf("%d of %d invocations were lost; the first: %s", l.Lost.Load(), l.All.Load(), *first)
	}
	if l.All.Load() == 0 {
		t.Error("there were no invocations")
	}
}

// IsUpdate reports whether a call changes an alias.
func IsUpdate(call localaws.Call) bool { return call.Action == "UpdateAlias" }
