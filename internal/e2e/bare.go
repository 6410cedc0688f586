package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Bare is the stand-in with a configuration of the test's own, for routes that are not those of a load
// balancer. Terraform and the command call the stand-in for every service.
type Bare struct {
	Server    *localaws.Server
	Terraform *rehearsal.Terraform
	t         *testing.T
}

// NewBare starts the stand-in.
func NewBare(t *testing.T, options ...localaws.Option) *Bare {
	t.Helper()
	built := Build(t)
	b := &Bare{Server: startBalancer(t, options...), t: t}
	b.Terraform = rehearsal.NewTerraform(built.Terraform, built.CLIConfig, b.Server.URL(), t.TempDir())
	b.Terraform.Env, b.Terraform.Limit = append(b.Terraform.Env, "AWS_ENDPOINT_URL="+b.Server.URL()), hangTimeout()
	t.Cleanup(func() { // before the stand-in ends
		if !t.Failed() {
			eventually(t, "no guardian is left", func() bool { return noGuardianIn(b.Terraform.Dir) })
		}
	})
	return b
}

// Write writes the configuration. The first time, it is initialized.
func (b *Bare) Write(hcl string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Terraform.Dir, "main.tf"), []byte(hcl), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.Terraform.Dir, ".terraform")); err == nil {
		return
	}
	if err := b.Terraform.Run(b.t.Output(), "init", "-no-color"); err != nil {
		b.t.Fatal(err)
	}
}

// Start starts an apply.
func (b *Bare) Start(args ...string) *Apply {
	b.t.Helper()
	return startApply(b.t, b.Terraform, args)
}

// MustApply is an apply that has to succeed.
func (b *Bare) MustApply(args ...string) {
	b.t.Helper()
	if out, ok := b.Start(args...).Wait(); !ok {
		b.t.Fatalf("apply failed:\n%s", out)
	}
}

// Operate starts the command bluegreen, as Operate.
func (b *Bare) Operate(args ...string) *Operation {
	b.t.Helper()
	return operateIn(b.t, b.Terraform, args)
}

// Eventually waits for a condition outside this process.
func (b *Bare) Eventually(what string, is func() bool) {
	b.t.Helper()
	eventually(b.t, what, is)
}
