package lambda_test

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	function  = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
	live      = function + ":live"
	secretKey = "wJalrXUtnFEMI-never-to-be-seen"
)

// version is the group of a version of the function.
func version(n int) string { return function + ":" + strconv.Itoa(n) }

// site is the stand-in with a function, and routers for it. The client is separate, so that the effect of a
// router is read independently.
type site struct {
	t                 *testing.T
	srv               *localaws.Server
	api               *api.Client
	forward, rollback *lambda.Router
}

// newSite creates the function shop with versions 1 to n and the alias live of version 1.
func newSite(t *testing.T, n int, opts ...localaws.Option) *site {
	t.Helper()
	srv, err := localaws.Start(append([]localaws.Option{localaws.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}, opts...)...)
	must(t, err)
	t.Cleanup(func() { must(t, srv.Close()) })
	s := &site{t: t, srv: srv}
	s.api = api.NewFromConfig(config(), func(o *api.Options) {
		o.Region, o.BaseEndpoint, o.RetryMaxAttempts = "eu-central-1", aws.String(srv.URL()), 1
	})
	s.forward, s.rollback = lambda.NewRouters(config(), lambda.Options{Endpoint: srv.URL(), MaxAttempts: 1})
	s.function("shop", n)
	s.alias("live", "1")
	return s
}

func config() aws.Config {
	return aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", secretKey, "")}
}

func (s *site) ctx() context.Context { return s.t.Context() }

// function creates a function with versions 1 to n.
func (s *site) function(name string, n int, change ...func(*api.CreateFunctionInput)) {
	s.t.Helper()
	in := &api.CreateFunctionInput{
		FunctionName: &name, Role: aws.String("arn:aws:iam::123456789012:role/shop"), Code: &types.FunctionCode{ZipFile: []byte("1")},
		Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Publish: true,
	}
	for _, c := range change {
		c(in)
	}
	_, err := s.api.CreateFunction(s.ctx(), in)
	must(s.t, err)
	for i := 2; i <= n; i++ {
		_, err := s.api.UpdateFunctionCode(s.ctx(), &api.UpdateFunctionCodeInput{FunctionName: &name, ZipFile: []byte(strconv.Itoa(i)), Publish: true})
		must(s.t, err)
	}
}

// alias creates an alias of the function shop.
func (s *site) alias(name, version string) string {
	s.t.Helper()
	out, err := s.api.CreateAlias(s.ctx(), &api.CreateAliasInput{
		FunctionName: aws.String("shop"), Name: &name, FunctionVersion: &version, Description: aws.String("what customers use"),
	})
	must(s.t, err)
	return *out.AliasArn
}

// change updates the alias live without a router.
func (s *site) change(version string, weights map[string]float64) {
	s.t.Helper()
	_, err := s.api.UpdateAlias(s.ctx(), &api.UpdateAliasInput{
		FunctionName: aws.String("shop"), Name: aws.String("live"), FunctionVersion: &version,
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights},
	})
	must(s.t, err)
}

// get returns the alias live.
func (s *site) get() *api.GetAliasOutput {
	s.t.Helper()
	out, err := s.api.GetAlias(s.ctx(), &api.GetAliasInput{FunctionName: aws.String("shop"), Name: aws.String("live")})
	must(s.t, err)
	return out
}

// provision configures provisioned concurrency of a version or an alias.
func (s *site) provision(qualifier string) {
	s.t.Helper()
	_, err := s.api.PutProvisionedConcurrencyConfig(s.ctx(), &api.PutProvisionedConcurrencyConfigInput{
		FunctionName: aws.String("shop"), Qualifier: &qualifier, ProvisionedConcurrentExecutions: aws.Int32(2),
	})
	must(s.t, err)
}

// read returns the state of the alias live.
func (s *site) read() traffic.State {
	s.t.Helper()
	states, err := s.forward.Read(s.ctx(), []string{live})
	must(s.t, err)
	return states[0]
}

// write writes weights to the alias live, with a Raw that was read just before.
func (s *site) write(r *lambda.Router, weights map[string]int) error {
	s.t.Helper()
	state := s.read()
	state.Weights = weights
	return r.Write(s.ctx(), live, state)
}

// count returns the number of calls of an action so far.
func (s *site) count(action string) int {
	n := 0
	for _, c := range s.srv.Calls() {
		if c.Action == action {
			n++
		}
	}
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
