package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Release is the quickstart's configuration with a local stack: what a user edits and applies, release after
// release.
type Release struct {
	Stack     *Stack
	Terraform *Terraform
	URL       string            // of the listener
	Versions  map[string]string // version in each environment
	Pace      Pace
}

// Pace are the durations of a release.
type Pace struct {
	Hold, Settle, SteadyFor string
	// Period and Lag are those of the load balancer metrics, where it has a faster clock than AWS, and Interval
	// that of the gate; empty: as on AWS.
	Period, Lag, Interval string
}

// ReleaseTerms configures a Release.
type ReleaseTerms struct {
	Binary    string // of terraform or tofu
	CLIConfig string // from BuildProvider
	Root      string // of this project
	Localapp  string // from BuildLocalapp, for the application; empty: this program
	Dir       string // an empty directory for the configuration
	Endpoint  string // of the load balancer's API
	Pace      Pace
	// Gates are blocks that replace the gates of the configuration; empty: unchanged.
	Gates string
	// ListenerAddr returns the address on which a listener really listens.
	ListenerAddr func(listener string) string
}

// NewRelease creates a stack with blue and green, whose listener sends all traffic to blue, and copies the
// quickstart's configuration into the directory.
func NewRelease(ctx context.Context, t ReleaseTerms) (*Release, error) {
	stage, err := NewStack(ctx, t.Endpoint, 80, "blue", "green")
	if err != nil {
		return nil, err
	}
	if t.Localapp != "" {
		stage.Program = filepath.Join(t.Localapp, "localapp")
	}
	terraform := NewTerraform(t.Binary, t.CLIConfig, t.Endpoint, t.Dir)
	if err := terraform.Layout(filepath.Join(t.Root, "examples", "quickstart")); err != nil {
		return nil, err
	}
	if t.Gates != "" {
		if err := terraform.Override(t.Gates); err != nil {
			return nil, err
		}
	}
	return &Release{Stack: stage, Terraform: terraform, URL: "http://" + t.ListenerAddr(stage.Listener),
		Versions: map[string]string{}, Pace: t.Pace}, nil
}

// Deploy runs a version in an environment and sets it in the configuration.
func (r *Release) Deploy(ctx context.Context, environment string, t AppTerms) error {
	r.Versions[environment] = t.Version
	return r.Stack.Deploy(ctx, environment, t)
}

// AnswerGates are gates that request the new version directly, twice per second, instead of waiting for load
// balancer metrics.
const AnswerGates = `
  gate {
    name = "version"
    when = "before"
    http {
      url         = var.url
      headers     = { "X-Environment" = var.active }
      expect_body = "version ${replace(lookup(var.versions, var.active, ""), ".", "\\.")}\\b"
    }
  }
  gate {
    name     = "answers"
    interval = "500ms"
    http {
      url     = var.url
      headers = { "X-Environment" = var.active }
      samples = 5
    }
  }
`

// NoGates are blocks that remove the gates of a configuration when they replace them.
const NoGates = `
  dynamic "gate" {
    for_each = []
    content {
      name = gate.value
    }
  }
`

// Configure is the user's edit: the active environment and the deployed versions.
func (r *Release) Configure(active string) error {
	settings := map[string]any{
		"listener_arn": r.Stack.Listener, "target_groups": r.Stack.Groups, "versions": r.Versions,
		"active": active, "url": r.URL,
		"hold": r.Pace.Hold, "settle": r.Pace.Settle, "steady_for": r.Pace.SteadyFor,
	}
	if r.Pace.Period != "" {
		settings["period"], settings["lag"], settings["interval"] = r.Pace.Period, r.Pace.Lag, r.Pace.Interval
	}
	values, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.Terraform.Dir, "terraform.tfvars.json"), values, 0o600)
}

// Run runs Terraform; its output is part of an error.
func (r *Release) Run(args ...string) error {
	var out bytes.Buffer
	if err := r.Terraform.Run(&out, args...); err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	return nil
}

// Adopt initializes the configuration and creates the switch for the listener, on which blue is live. No
// traffic moves.
func (r *Release) Adopt() error {
	if err := r.Configure("blue"); err != nil {
		return err
	}
	if err := r.Run("init", "-no-color"); err != nil {
		return err
	}
	return r.Run("apply", "-no-color", "-auto-approve")
}

// Close kills every process of the application.
func (r *Release) Close() { r.Stack.Close() }
