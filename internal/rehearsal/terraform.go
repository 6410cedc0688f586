package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// providerVersion is the version of a freshly built provider in the local mirror. No release has it.
const providerVersion = "0.0.1"

// Terraform runs a terraform or tofu binary in its own directory, with a provider that was built from this tree.
type Terraform struct {
	Binary string
	Dir    string   // of the configuration
	Env    []string // in addition to the process's own
	// Limit is the time after which Run and Output kill a command, because it hangs; 0: never.
	Limit time.Duration
}

// Override writes blocks and arguments of the switch "web" that replace those of the configuration: blocks replace
// all of their name.
func (t Terraform) Override(hcl string) error {
	text := "resource \"bluegreen_switch\" \"web\" {\n" + hcl + "}\n"
	return os.WriteFile(filepath.Join(t.Dir, "override.tf"), []byte(text), 0o600)
}

// ErrNoTerraform says that neither terraform nor tofu is on PATH.
var ErrNoTerraform = errors.New("neither terraform nor tofu is on PATH")

// FindTerraform returns the terraform or tofu on PATH, or ErrNoTerraform.
func FindTerraform() (string, error) {
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoTerraform
}

// FetchTerraform installs the latest Terraform into a directory and returns its path. It needs the Internet.
func FetchTerraform(ctx context.Context, folder string) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	found := filepath.Join(folder, "terraform")
	if _, err := os.Stat(found); err == nil {
		return found, nil
	}
	path, err := (&releases.LatestVersion{Product: product.Terraform, InstallDir: folder}).Install(ctx)
	if err != nil {
		return "", fmt.Errorf("cannot fetch Terraform: %w", err)
	}
	return path, nil
}

// ModuleRoot is the directory of this project's go.mod, found from the working directory.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the project directory: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("this must run inside the project directory")
	}
	return filepath.Dir(mod), nil
}

// BuildProvider builds the provider of the tree at root into a filesystem mirror under a directory, and returns the path of a
// CLI configuration with which terraform and tofu install it from there.
func BuildProvider(ctx context.Context, root, folder string) (string, error) {
	built := filepath.Join(folder, "terraform-provider-bluegreen")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", built, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the provider: %w\n%s", err, out)
	}
	mirror := filepath.Join(folder, "mirror")
	for _, registry := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		if err := linkInto(mirror, registry, built); err != nil {
			return "", err
		}
	}
	config := filepath.Join(folder, "terraform.rc")
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\ndisable_checkpoint = true\n", mirror)
	return config, os.WriteFile(config, []byte(text), 0o600)
}

// BuildCommand builds the command bluegreen into a folder, as a release does, and returns its path.
func BuildCommand(ctx context.Context, root, folder string) (string, error) {
	path := filepath.Join(folder, "bluegreen")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/bluegreen")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the command: %w\n%s", err, out)
	}
	return path, nil
}

// linkInto puts the binary into the mirror, replacing what was there.
func linkInto(mirror, registry, built string) error {
	folder := filepath.Join(mirror, registry, "bluegreen", "bluegreen", providerVersion, runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := filepath.Join(folder, "terraform-provider-bluegreen_v"+providerVersion)
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Link(built, name)
}

// Layout copies the *.tf files of a configuration into the directory.
func (t *Terraform) Layout(configuration string) error {
	files, err := filepath.Glob(filepath.Join(configuration, "*.tf"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no configuration in %s: %w", configuration, errors.Join(err, os.ErrNotExist))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.Dir, filepath.Base(file)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// NewTerraform returns a Terraform in a directory that uses the load balancer at the endpoint, and the provider of the CLI
// configuration.
func NewTerraform(binary, cliConfig, endpoint, dir string) *Terraform {
	return &Terraform{Binary: binary, Dir: dir, Env: append(LocalEnv(endpoint), "TF_CLI_CONFIG_FILE="+cliConfig)}
}

// LocalEnv is the environment for the AWS SDK with a local load balancer.
func LocalEnv(endpoint string) []string {
	return []string{
		"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=" + endpoint, "AWS_ENDPOINT_URL_CLOUDWATCH=" + endpoint, "AWS_ENDPOINT_URL_LAMBDA=" + endpoint,
		"AWS_ENDPOINT_URL_ROUTE_53=" + endpoint,
		"AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local", "AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region, // version 1 of the AWS CLI ignores AWS_REGION
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
	}
}

// Command returns a command in its own process group, so that a signal for it does not reach the caller.
func (t *Terraform) Command(args ...string) *exec.Cmd { return t.command(context.Background(), args) }

func (t *Terraform) command(ctx context.Context, args []string) *exec.Cmd {
	command := exec.CommandContext(ctx, t.Binary, args...)
	command.Dir = t.Dir
	command.Env = append(os.Environ(), t.Env...)
	command.Env = append(command.Env, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1")
	proc.OwnGroup(command)
	return command
}

// Run runs a command and writes its output to out. A command that failed by itself is an *exec.ExitError.
func (t *Terraform) Run(out io.Writer, args ...string) error {
	return t.run(out, out, args)
}

// Output runs a command and returns what it wrote to standard output.
func (t *Terraform) Output(args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	if err := t.run(&out, &errs, args); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, errs.String())
	}
	return out.Bytes(), nil
}

func (t *Terraform) run(stdout, stderr io.Writer, args []string) error {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if t.Limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, t.Limit)
	}
	defer cancel()
	command := t.command(ctx, args)
	command.Stdout, command.Stderr = stdout, stderr
	err := command.Run()
	switch name := filepath.Base(t.Binary); {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s has not ended within %s: %w", name, args[0], t.Limit, ctx.Err())
	default:
		return fmt.Errorf("%s %s: %w", name, args[0], err)
	}
}
