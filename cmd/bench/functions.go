package main

import (
	"context"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const invocationRate = 200

// functions measures a release and a rollback of a Lambda alias.
func functions(ctx context.Context) ([]row, error) {
	return trial{
		release: "Lambda calls of a release of an alias (5 %, 50 %, 100 %, holds of 2 s), with those for health", write: "UpdateAlias", perStep: "1 UpdateAlias per step", writes: 3,
		lost: "invocations lost in that release, at 200 invocations/s", last: "from a failed gate at 50 % to the last invocation of the bad version of that alias",
		within: time.Second, goal: "under 1 s", hold: 2 * time.Second, linger: time.Second,
		stage: func(green rehearsal.AppTerms) (*stage, error) { return newFunction(ctx, green) },
	}.rows(ctx)
}

// newFunction is a function with a version for each environment, which run as servers of this process.
func newFunction(ctx context.Context, green rehearsal.AppTerms) (*stage, error) {
	server, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(quiet()), localaws.WithManagement("127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	s := &stage{server: server, close: func() { _ = server.Close() }}
	cfg := aws.Config{Region: rehearsal.Region, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	client := lambdaapi.NewFromConfig(cfg, func(o *lambdaapi.Options) { o.BaseEndpoint = aws.String(server.URL()) })
	blue, other := httptest.NewServer(rehearsal.AppTerms{Version: "1"}.Handler()), httptest.NewServer(green.Handler())
	s.close = func() { _ = server.Close(); blue.Close(); other.Close() }
	arn, err := newAlias(ctx, client, blue.URL, other.URL)
	if err != nil {
		s.close()
		return nil, err
	}
	owned := map[string]map[string]string{}
	for name, version := range map[string]string{"blue": "1", "green": "2"} {
		group, err := lambda.Group([]string{arn}, version)
		if err != nil {
			s.close()
			return nil, err
		}
		owned[name] = map[string]string{"api": group}
	}
	forward, rollback := lambda.NewRouters(cfg, lambda.Options{Endpoint: server.URL()})
	s.spec = specOf(forward, rollback, lambda.Limits(), owned)
	s.spec.Routes = []rollout.Route{{Route: traffic.Route{ID: arn, Entry: "api"}}}
	s.load = func() *rehearsal.Load {
		return rehearsal.StartLoad(rehearsal.LoadTerms{URL: server.ManagementURL() + "/invoke/" + arn, Rate: invocationRate, Clients: 32})
	}
	return s, nil
}

// newAlias creates a function whose version 1 runs at the first address and version 2 at the second, and its alias on version 1.
func newAlias(ctx context.Context, client *lambdaapi.Client, first, second string) (string, error) {
	at := func(address string) *types.Environment {
		return &types.Environment{Variables: map[string]string{"LOCALAWS_HANDLER": address}}
	}
	name := aws.String("api")
	_, err := client.CreateFunction(ctx, &lambdaapi.CreateFunctionInput{FunctionName: name, Role: aws.String("arn:aws:iam::123456789012:role/api"), Publish: true,
		Code: &types.FunctionCode{ZipFile: []byte("api")}, Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Environment: at(first)})
	if err != nil {
		return "", err
	}
	if _, err = client.UpdateFunctionConfiguration(ctx, &lambdaapi.UpdateFunctionConfigurationInput{FunctionName: name, Environment: at(second)}); err != nil {
		return "", err
	}
	if _, err = client.PublishVersion(ctx, &lambdaapi.PublishVersionInput{FunctionName: name}); err != nil {
		return "", err
	}
	alias, err := client.CreateAlias(ctx, &lambdaapi.CreateAliasInput{FunctionName: name, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	if err != nil {
		return "", err
	}
	return aws.ToString(alias.AliasArn), nil
}
