package localaws_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

const (
	functionARN = "arn:aws:lambda:eu-central-1:123456789012:function:shop"
	roleARN     = "arn:aws:iam::123456789012:role/shop"
)

// functions is the stand-in with a client for Lambda.
type functions struct {
	t   *testing.T
	srv *localaws.Server
	api *lambda.Client
}

func newFunctions(t *testing.T, opts ...localaws.Option) *functions {
	t.Helper()
	srv, err := localaws.Start(append([]localaws.Option{localaws.WithLogger(slog.New(slog.DiscardHandler))}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return &functions{t: t, srv: srv, api: lambda.New(lambda.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(srv.URL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", ""),
	})}
}

func (f *functions) ctx() context.Context { return f.t.Context() }

func (f *functions) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// release publishes versions 1, 2, … of the function shop. Each handler runs one of them; nil: none.
func (f *functions) release(handlers ...http.Handler) {
	f.t.Helper()
	for i, handler := range handlers {
		settings := &types.Environment{Variables: map[string]string{}}
		if handler != nil {
			srv := httptest.NewServer(handler)
			f.t.Cleanup(srv.Close)
			settings.Variables["LOCALAWS_HANDLER"] = srv.URL
		}
		if i == 0 {
			_, err := f.api.CreateFunction(f.ctx(), &lambda.CreateFunctionInput{
				FunctionName: aws.String("shop"), Role: aws.String(roleARN), Code: &types.FunctionCode{ZipFile: []byte("zip")}, Environment: settings,
				Runtime: types.RuntimeProvidedal2023, Handler: aws.String("bootstrap"), Publish: true, Tags: map[string]string{"team": "web"},
			})
			f.must(err)
			continue
		}
		_, err := f.api.UpdateFunctionConfiguration(f.ctx(), &lambda.UpdateFunctionConfigurationInput{FunctionName: aws.String("shop"), Environment: settings})
		f.must(err)
		_, err = f.api.PublishVersion(f.ctx(), &lambda.PublishVersionInput{FunctionName: aws.String(functionARN)})
		f.must(err)
	}
}

// alias creates the alias live of version 1.
func (f *functions) alias(weights map[string]float64) *lambda.CreateAliasOutput {
	f.t.Helper()
	in := &lambda.CreateAliasInput{FunctionName: aws.String("shop"), Name: aws.String("live"), FunctionVersion: aws.String("1"), Description: aws.String("what customers use")}
	if weights != nil {
		in.RoutingConfig = &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights}
	}
	out, err := f.api.CreateAlias(f.ctx(), in)
	f.must(err)
	return out
}

func (f *functions) update(change func(in *lambda.UpdateAliasInput)) (*lambda.UpdateAliasOutput, error) {
	in := &lambda.UpdateAliasInput{FunctionName: aws.String(functionARN), Name: aws.String("live")}
	change(in)
	return f.api.UpdateAlias(f.ctx(), in)
}

func (f *functions) get() *lambda.GetAliasOutput {
	f.t.Helper()
	out, err := f.api.GetAlias(f.ctx(), &lambda.GetAliasInput{FunctionName: aws.String("shop"), Name: aws.String("live")})
	f.must(err)
	return out
}

// invoke returns the version that ran and its answer.
func (f *functions) invoke(qualifier string) (version, payload, fault string) {
	f.t.Helper()
	out, err := f.api.Invoke(f.ctx(), &lambda.InvokeInput{FunctionName: aws.String("shop"), Qualifier: &qualifier, Payload: []byte(`{"order":7}`)})
	f.must(err)
	return aws.ToString(out.ExecutedVersion), string(out.Payload), aws.ToString(out.FunctionError)
}

// manage decodes an answer of the management port.
func (f *functions) manage(path string, into any) {
	f.t.Helper()
	resp, err := http.Get(f.srv.ManagementURL() + path)
	f.must(err)
	defer func() { _ = resp.Body.Close() }()
	f.must(json.NewDecoder(resp.Body).Decode(into))
}

// says is a handler that answers with a text and the payload.
func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, text+string(payload))
	})
}

// refused returns the code and the message of an error.
func refused(err error) string {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return "no API error"
	}
	return api.ErrorCode() + ": " + api.ErrorMessage()
}
