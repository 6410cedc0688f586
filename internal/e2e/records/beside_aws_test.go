//go:build linux

package records

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// awsConfiguration is the records as hashicorp/aws manages them, in a state of its own: another address of green,
// zone, lifecycle.
const awsConfiguration = `terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "local"
  secret_key                  = "local"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

locals {
  records = {
    "blue A"     = %[4]q
    "green A"    = %[5]q
    "blue AAAA"  = "::ffff:%[4]s"
    "green AAAA" = "::ffff:%[5]s"
  }
}

import {
  for_each = local.records
  to       = aws_route53_record.app[each.key]
  id       = "%[2]s_app.example.com_${split(" ", each.key)[1]}_${split(" ", each.key)[0]}"
}

resource "aws_route53_record" "app" {
  for_each       = local.records
  zone_id        = %[2]q
  name           = "app.example.com"
  type           = split(" ", each.key)[1]
  set_identifier = split(" ", each.key)[0]
  ttl            = 1
  records        = concat([each.value], each.key == "green A" ? %[1]s : [])
  weighted_routing_policy {
    weight = startswith(each.key, "blue") ? 100 : 0
  }
  lifecycle {
    %[3]s
  }
}
`

// besideAWS is the records in hashicorp/aws.
type besideAWS struct {
	*rehearsal.Terraform
	t *testing.T
	r *e2e.Records
}

func newBesideAWS(t *testing.T, r *e2e.Records) besideAWS {
	t.Helper()
	built := e2e.Build(t)
	b := besideAWS{built.In(t.TempDir(), rehearsal.LocalEnv(r.Balancer.URL())...), t, r}
	b.Env = append(b.Env, "TF_CLI_CONFIG_FILE="+built.WithPlugins(t, "hashicorp/aws"))
	b.configure("[]", "ignore_changes = [weighted_routing_policy]")
	b.run("init", "-no-color")
	b.run("apply", "-no-color", "-auto-approve")
	return b
}

func (b besideAWS) configure(more, lifecycle string) {
	b.t.Helper()
	address := func(environment string) string {
		host, _, _ := strings.Cut(strings.TrimPrefix(b.r.Address(environment), "http://"), ":")
		return host
	}
	text := fmt.Sprintf(awsConfiguration, more, b.r.Zone, lifecycle, address("blue"), address("green"))
	if err := os.WriteFile(filepath.Join(b.Dir, "main.tf"), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b besideAWS) run(args ...string) string {
	b.t.Helper()
	var out strings.Builder
	if err := b.Run(&out, args...); err != nil {
		b.t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// mustBeEmpty checks that the plan of hashicorp/aws has no changes.
func (b besideAWS) mustBeEmpty() {
	b.t.Helper()
	if out := b.run("plan", "-no-color", "-input=false"); !strings.Contains(out, "No changes.") {
		b.t.Errorf("the plan of hashicorp/aws is not empty:\n%s", out)
	}
}

// Beside aws_route53_record with ignore_changes: a shift leaves no change, in a hold and after it. A change of an address
// keeps the weights that the switch wrote, and the switch keeps the address. Without ignore_changes, hashicorp/aws moves the traffic.
func TestRecords_besideAWS(t *testing.T) {
	t.Parallel()
	r := e2e.NewRecords(t)
	r.MustAdopt()
	aws := newBesideAWS(t, r)
	aws.mustBeEmpty()
	r.Config.Steps = `[{ percent = 5, hold = "10h" }]`
	r.MustActivate("green")
	apply := r.Start()
	inHold(r, 5)
	aws.mustBeEmpty()
	apply.Kill(e2e.Everything)
	r.Config.Steps = `[{ percent = 5, hold = "2s" }]`
	r.Config.Bake = "2s"
	r.MustWrite()
	r.MustApply(e2e.Unlocked)
	r.MustHaveAllAnswers("green")
	aws.mustBeEmpty()

	aws.configure(`["127.0.0.9"]`, "ignore_changes = [weighted_routing_policy]")
	aws.run("apply", "-no-color", "-auto-approve")
	r.MustHaveAllAnswers("green")
	r.MustActivate("blue")
	r.MustApply()
	r.MustHaveAllAnswers("blue")
	aws.mustBeEmpty()

	r.MustActivate("green")
	r.MustApply()
	aws.configure(`["127.0.0.9"]`, "")
	aws.run("apply", "-no-color", "-auto-approve")
	r.MustHaveAllAnswers("blue")
}
