package gate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// awsDependencies has AWS credentials, and records the regions that they are for.
func awsDependencies(regions *[]string, err error) gate.Dependencies {
	return gate.Dependencies{Lookup: lookupIn(map[string]string{"PASSWORD": "pa55word", "SET": "1"}), Region: "eu-west-1",
		AWSCredentials: func(region string) (aws.CredentialsProvider, error) {
			*regions = append(*regions, region)
			return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret-key", SessionToken: "session-token"}, err
			}), nil
		}}
}

func TestPrometheus_basicAuth(t *testing.T) {
	var user, password string
	url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "not for "+password)
	})
	g, err := gate.NewPrometheus(gate.Prometheus{Request: gate.Request{URL: url}, Query: "up", Max: new(1.0), BasicAuth: &gate.BasicAuth{Username: "gates", PasswordEnv: "PASSWORD"}}, awsDependencies(new([]string), nil))
	if err != nil {
		t.Fatal(err)
	}
	v := g.Evaluate(t.Context(), canaryInput())
	if user != "gates" || password != "pa55word" || v.Status != rollout.Errored {
		t.Errorf("got %s and %s: %+v", user, password, v)
	}
	wantNoSecret(t, v, "pa55word")
}

// The signature covers the headers of the gate, such as that of a tenant, and the query.
func TestPrometheus_sigV4(t *testing.T) {
	for method, sigV4 := range map[string]gate.SigV4{"POST": {}, "GET": {Region: "us-east-1"}} {
		var got http.Header
		url := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			got = r.Header
			if r.FormValue("query") != "up" {
				t.Errorf("%s: got the query %q", method, r.FormValue("query"))
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "the canonical string has "+r.Header.Get("X-Amz-Security-Token"))
		})
		var regions []string
		g, err := gate.NewPrometheus(gate.Prometheus{Request: gate.Request{URL: url, Headers: map[string]string{"X-Scope-OrgID": "team"}}, Method: method, Query: "up", Max: new(1.0), SigV4: &sigV4}, awsDependencies(&regions, nil))
		if err != nil {
			t.Fatal(err)
		}
		v := g.Evaluate(t.Context(), canaryInput())
		region := map[string]string{"POST": "eu-west-1", "GET": "us-east-1"}[method]
		pattern := `^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/` + region + `/aps/aws4_request, SignedHeaders=[a-z0-9;-]*host;[a-z0-9;-]*x-scope-orgid, Signature=[0-9a-f]{64}$`
		if a := got.Get("Authorization"); !regexp.MustCompile(pattern).MatchString(a) || got.Get("X-Amz-Security-Token") != "session-token" || len(regions) != 1 || regions[0] != region {
			t.Errorf("%s: got %v for %v", method, got, regions)
		}
		if v.Status != rollout.Errored || !strings.Contains(v.Detail, "the canonical string") {
			t.Errorf("got %+v", v)
		}
		wantNoSecret(t, v, "session-token", "secret-key")
	}
}

// Without credentials, nothing is sent, and the cause is named.
func TestPrometheus_sigV4WithoutCredentials(t *testing.T) {
	url := serve(t, func(int, http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	c := gate.Prometheus{Request: gate.Request{URL: url}, Query: "up", Max: new(1.0), SigV4: &gate.SigV4{}}
	g, err := gate.NewPrometheus(c, awsDependencies(new([]string), errors.New("the token expired")))
	if err != nil {
		t.Fatal(err)
	}
	if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Errored || !strings.Contains(v.Detail, "AWS credentials are not available: the token expired") {
		t.Errorf("got %+v", v)
	}
	deps := awsDependencies(new([]string), nil)
	deps.Region = ""
	if _, err := gate.NewPrometheus(c, deps); !errors.Is(err, gate.ErrMissing) {
		t.Errorf("without a region: %v", err)
	}
	c.URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1"
	var regions []string
	deps = awsDependencies(&regions, nil)
	if _, err := gate.NewPrometheus(c, deps); err != nil || len(regions) != 1 || regions[0] != "eu-central-1" {
		t.Errorf("got %v for %v", err, regions)
	}
}

func TestPrometheus_badCredentials(t *testing.T) {
	basic := &gate.BasicAuth{Username: "gates", PasswordEnv: "PASSWORD"}
	for _, c := range []gate.Prometheus{
		{BasicAuth: &gate.BasicAuth{}},
		{BasicAuth: &gate.BasicAuth{Username: "a:b", PasswordEnv: "A=B"}},
		{BasicAuth: &gate.BasicAuth{Username: "gates", PasswordEnv: "UNSET"}},
		{BasicAuth: basic, BearerTokenEnv: "SET"},
		{BasicAuth: basic, SigV4: &gate.SigV4{}},
		{SigV4: &gate.SigV4{Region: "Frankfurt"}},
		{SigV4: &gate.SigV4{Region: "eu-west-1"}},
		{Request: gate.Request{Headers: map[string]string{"authorization": "x"}}, SigV4: &gate.SigV4{}},
	} {
		c.URL, c.Query, c.Max = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1", "up", new(1.0)
		g, err := gate.NewPrometheus(c, awsDependencies(new([]string), nil))
		if g != nil || err == nil {
			t.Errorf("NewPrometheus accepts %+v", c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
}
