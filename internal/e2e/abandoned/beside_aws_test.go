//go:build unix

package abandoned

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// ignoreTags is the argument of the provider aws that the guide shows.
const ignoreTags = `ignore_tags {
    key_prefixes = ["bluegreen:"]
  }`

// awsConfiguration is the listener as hashicorp/aws manages it, in a state of its own.
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
  %s
}

import {
  to = aws_lb_listener.web
  id = %q
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = %q
  port              = %d
  protocol          = "HTTP"
  tags              = { team = "web" }
  default_action {
    type             = "forward"
    target_group_arn = %q
  }
  lifecycle { ignore_changes = [default_action] }
}
`

// besideAWS is the listener of a world in hashicorp/aws.
type besideAWS struct {
	*rehearsal.Terraform
	t *testing.T
	w *e2e.World
}

func newBesideAWS(t *testing.T, w *e2e.World) besideAWS {
	t.Helper()
	built := e2e.Build(t)
	b := besideAWS{built.In(t.TempDir(), rehearsal.LocalEnv(w.Balancer.URL())...), t, w}
	b.Env = append(b.Env, "TF_CLI_CONFIG_FILE="+built.WithPlugins(t, "hashicorp/aws"))
	b.configure("")
	b.run("init", "-no-color")
	b.run("apply", "-no-color", "-auto-approve")
	return b
}

// configure writes the configuration with an argument of the provider.
func (b besideAWS) configure(argument string) {
	b.t.Helper()
	text := fmt.Sprintf(awsConfiguration, argument, b.w.Stack.Listener, b.w.Stack.LoadBalancer, 80, b.w.Stack.Groups["blue"])
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

// removes plans, and returns the tags that the plan would remove. Any other change is an
// error.
func (b besideAWS) removes() map[string]any {
	b.t.Helper()
	b.run("plan", "-no-color", "-input=false", "-out=planned")
	var plan struct {
		Changes []struct {
			Change struct{ Before, After map[string]any }
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(b.run("show", "-json", "planned")), &plan); err != nil || len(plan.Changes) != 1 {
		b.t.Fatal(len(plan.Changes), err)
	}
	before, after := plan.Changes[0].Change.Before, plan.Changes[0].Change.After
	removed := map[string]any{}
	for _, name := range []string{"tags", "tags_all"} {
		was, _ := before[name].(map[string]any)
		is, _ := after[name].(map[string]any)
		maps.Copy(removed, was)
		maps.DeleteFunc(removed, func(key string, value any) bool { return is[key] == value })
		for key, value := range is {
			if was[key] != value {
				b.t.Errorf("the plan of hashicorp/aws adds the tag %s", key)
			}
		}
		delete(before, name)
		delete(after, name)
	}
	if !reflect.DeepEqual(before, after) {
		b.t.Errorf("the plan of hashicorp/aws changes more than tags:\n%v\n%v", before, after)
	}
	return removed
}

// mustRemoveRecordOnly checks that the plan removes the tags of a record and nothing else.
func (b besideAWS) mustRemoveRecordOnly() {
	b.t.Helper()
	removed := b.removes()
	if len(removed) == 0 {
		b.t.Error("the plan of hashicorp/aws does not show the record")
	}
	for key := range removed {
		if !strings.HasPrefix(key, "bluegreen:shift/") {
			b.t.Errorf("the plan of hashicorp/aws removes the tag %s", key)
		}
	}
}

// mustBeEmpty checks that the plan of hashicorp/aws has no changes.
func (b besideAWS) mustBeEmpty() {
	b.t.Helper()
	if removed := b.removes(); len(removed) > 0 {
		b.t.Errorf("the plan of hashicorp/aws removes the tags %v", removed)
	}
}

// Beside an aws_lb_listener with ignore_changes: a shift leaves no tag and no change. While
// it runs, and after it was abandoned, the plan of hashicorp/aws shows at most the tags of
// its record, with ignore_tags nothing.
func TestAbandoned_besideAWS(t *testing.T) {
	w := e2e.NewQuietWorld(t, quick)
	aws := newBesideAWS(t, w)
	onlyTeam := func() {
		t.Helper()
		if tags := w.Balancer.Tags(w.Stack.Listener); len(tags) != 1 || tags["team"] != "web" {
			t.Errorf("the listener has the tags %v", tags)
		}
	}
	aws.mustBeEmpty()
	w.MustConfigure("green")
	w.MustApply()
	w.MustHaveAll("green")
	onlyTeam()
	aws.mustBeEmpty()

	w.Pace = e2e.Endless
	w.MustDeploy("blue", rehearsal.AppTerms{Version: "3"})
	w.MustConfigure("blue")
	apply := w.Start()
	w.Eventually("blue has 5 %", func() bool { return w.Weights()["blue"] == 5 })
	aws.mustRemoveRecordOnly()
	apply.Kill(e2e.Everything)
	aws.mustRemoveRecordOnly()
	aws.configure(ignoreTags)
	aws.mustBeEmpty()

	w.MustConfigure("green")
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("green")
	onlyTeam()
	aws.configure("")
	aws.mustBeEmpty()
	w.LostNothing()
}
