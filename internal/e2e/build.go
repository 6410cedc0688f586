package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// Main is the TestMain of a package of tests. The application is cmd/localapp: a test binary
// with the race detector takes several times as much of the machine. What the package itself
// has started is ended by the functions, after the last test.
func Main(m *testing.M, ends ...func()) {
	if err := slow.Economize(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	for _, end := range ends {
		end()
	}
	if dir := programs.Dir; dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// Programs is what the tests of a package run, built once per package.
type Programs struct {
	Root      string // of this project
	Dir       string // of what was built
	Terraform string // path of terraform or tofu
	CLIConfig string // with which Terraform finds the provider
	Localapp  string // folder with cmd/localapp, for PATH
}

var (
	programs     Programs
	programsOnce sync.Once
	errPrograms  error
)

// Build builds the provider and cmd/localapp, or skips the test without Terraform.
func Build(t *testing.T) Programs {
	t.Helper()
	binary, err := rehearsal.FindTerraform()
	if errors.Is(err, rehearsal.ErrNoTerraform) {
		t.Skip("SKIPPED: neither terraform nor tofu is on PATH; this test needs a real one")
	}
	programsOnce.Do(func() {
		programs.Terraform = binary
		errPrograms = programs.build(context.WithoutCancel(t.Context()))
	})
	if errPrograms != nil {
		t.Fatal(errPrograms)
	}
	return programs
}

// In returns a Terraform for the configuration in a folder.
func (p Programs) In(dir string, env ...string) *rehearsal.Terraform {
	return &rehearsal.Terraform{Binary: p.Terraform, Dir: dir, Env: append([]string{"TF_CLI_CONFIG_FILE=" + p.CLIConfig}, env...), Limit: hangTimeout()}
}

// build builds into a folder that outlives the first test.
func (p *Programs) build(ctx context.Context) (err error) {
	if p.Root, err = rehearsal.ModuleRoot(ctx); err != nil {
		return err
	}
	if err := readSources(p.Root); err != nil {
		return err
	}
	if p.Dir, err = os.MkdirTemp("", "bluegreen-e2e-"); err != nil {
		return err
	}
	if p.CLIConfig, err = rehearsal.BuildProvider(ctx, p.Root, p.Dir); err != nil {
		return err
	}
	p.Localapp, err = rehearsal.BuildLocalapp(ctx, p.Root, p.Dir)
	return err
}

// readSources reads every source file of the provider and localapp. They are built
// by separate commands, so without this "go test" would return a cached result
// after a change.
func readSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" && d.Name() != "go.mod":
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}
