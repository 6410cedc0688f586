package docs

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// functionConfiguration is a function and its alias in hashicorp/aws, as the guide Lambda aliases shows them.
const functionConfiguration = `terraform {
  required_providers {
    aws       = { source = "hashicorp/aws" }
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

variable "handler" {}
variable "versions" { type = map(string) }
variable "active" {}

resource "aws_lambda_function" "api" {
  function_name = "api"
  role          = "arn:aws:iam::123456789012:role/api"
  filename      = "api.zip"
  handler       = "bootstrap"
  runtime       = "provided.al2023"
  publish       = true
  environment { variables = { LOCALAWS_HANDLER = var.handler } }
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.api.function_name
  function_version = "1"
  lifecycle { ignore_changes = [function_version, routing_config] }
}

resource "aws_lambda_provisioned_concurrency_config" "api" {
  for_each                          = var.versions
  function_name                     = aws_lambda_function.api.function_name
  qualifier                         = each.value
  provisioned_concurrent_executions = 1
  depends_on                        = [aws_lambda_function.api]
}

resource "bluegreen_environment" "api" {
  for_each          = var.versions
  name              = each.key
  version           = each.value
  function_versions = { api = each.value }
  backed_by         = [aws_lambda_provisioned_concurrency_config.api[each.key].id]
  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "api" {
  lambda { routes = { api = [aws_lambda_alias.live.arn] } }
  environments = bluegreen_environment.api
  active       = var.active
  strategy {
    steps  = [{ percent = 10, hold = "1ms" }]
    settle = "1ms"
  }
  health { steady_for = "1ms" }
}
`

// A release of a function of hashicorp/aws, and no plan of hashicorp/aws undoes it.
func TestGuide_lambdaBesideAWS(t *testing.T) {
	t.Parallel()
	built := e2e.Build(t)
	srv, err := localaws.Start(localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	terraform := built.In(t.TempDir(), rehearsal.LocalEnv(srv.URL())...)
	terraform.Env = append(terraform.Env, "TF_CLI_CONFIG_FILE="+built.WithPlugins(t, "hashicorp/aws"))
	for name, text := range map[string]string{"main.tf": functionConfiguration, "api.zip": "code"} {
		if err := os.WriteFile(filepath.Join(terraform.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		var out strings.Builder
		if err := terraform.Run(&out, args...); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out.String())
		}
	}
	handler := func() string {
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		t.Cleanup(server.Close)
		return server.URL
	}
	first, second := handler(), handler()
	release := func(handler, versions, active string) []string {
		return []string{"-no-color", "-input=false", "-var=handler=" + handler, "-var=versions=" + versions, "-var=active=" + active}
	}
	run("init", "-no-color")
	run(append([]string{"apply", "-auto-approve"}, release(first, `{ blue = "1" }`, "blue")...)...)
	next := release(second, `{ blue = "1", green = "2" }`, "green")
	run(append([]string{"apply", "-auto-approve"}, next...)...)
	if got := srv.Lambda().Weights("arn:aws:lambda:" + rehearsal.Region + ":123456789012:function:api:live"); len(got) != 1 || got["2"] != 1 {
		t.Errorf("the alias has %v", got)
	}
	run(append([]string{"plan", "-detailed-exitcode"}, next...)...) // fails for any change
}
