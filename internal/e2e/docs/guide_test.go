package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// around is the configuration around the guide's gates.
const around = `terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

provider "bluegreen" {
  aws {
    region     = "eu-central-1"
    access_key = "local"
    secret_key = "local"
  }
}

variable "active" { default = "green" }

variable "url" { default = null }

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = ["arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"] }
  }
  environments = {
    blue  = { version = "1", target_groups = { web = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067" } }
    green = { version = "2", target_groups = { web = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/73e2d6bc24d8a068" } }
  }
  active = var.active
  strategy {
    steps = [{ percent = 5, hold = "10m" }, { percent = 50, hold = "10m" }]
  }
`

// blocks returns the fenced HCL blocks of a text.
func blocks(text string) []string {
	var all []string
	for {
		_, rest, found := strings.Cut(text, "```terraform\n")
		block, after, closed := strings.Cut(rest, "\n```")
		if !found || !closed {
			return all
		}
		all, text = append(all, block), after
	}
}

// gateName is the name of the first gate of an example.
func gateName(block string) string {
	_, after, _ := strings.Cut(block, " name")
	_, after, _ = strings.Cut(after, `"`)
	name, _, _ := strings.Cut(after, `"`)
	return name
}

// Every example of the guide Choosing gates can be planned. The guide shows secrets only in
// forms that do not reach the state.
func TestChoosingGates_examplesPlan(t *testing.T) {
	built := e2e.Build(t)
	guide, err := os.ReadFile(filepath.Join(built.Root, "templates", "guides", "choosing-gates.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocks(string(guide)) {
		name := gateName(block)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			terraform := built.In(t.TempDir(), rehearsal.LocalEnv("http://127.0.0.1:9")...)
			if err := os.WriteFile(filepath.Join(terraform.Dir, "main.tf"), []byte(around+block+"\n}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"init", "-no-color"}, {"plan", "-no-color", "-input=false"}} {
				var out strings.Builder
				if err := terraform.Run(&out, args...); err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
			}
		})
	}
	for _, word := range []string{"password", "Bearer ", "bearer_token ", "secret ="} {
		if strings.Contains(string(guide), word) {
			t.Errorf("the guide shows a secret as it must not be given: %q", word)
		}
	}
}
