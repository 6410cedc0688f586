package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Example is a copy of an example, or of another configuration that uses cmd/localapp, in a directory where
// Terraform can run.
type Example struct {
	Terraform *Terraform
	folder    string // of the whole copy
	endpoint  string
}

// ExampleTerms configures an Example.
type ExampleTerms struct {
	Binary     string   // of terraform or tofu
	CLIConfig  string   // from BuildProvider
	Localapp   string   // from BuildLocalapp
	Sources    []string // directories whose content is copied, including modules
	Name       string   // name of the configuration: "two-environments", "two-states/app"
	Dir        string   // an empty directory for the copy
	Endpoint   string   // of the load balancer's API
	Management string   // of the load balancer
	Pace       ExamplePace
}

// ExamplePace are the durations of the copy. Those in the examples are meant for production.
type ExamplePace struct {
	Hold, Settle, SteadyFor, Drain, Interval string
}

// BuildLocalapp builds cmd/localapp into a directory and returns that directory, for PATH.
func BuildLocalapp(ctx context.Context, root, folder string) (string, error) {
	bin := filepath.Join(folder, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), "./cmd/localapp")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build localapp: %w\n%s", err, out)
	}
	return bin, nil
}

// NewExample copies the configuration without what earlier runs left in it.
func NewExample(t ExampleTerms) (*Example, error) {
	for _, source := range t.Sources {
		if err := lay(source, t.Dir, t.Pace); err != nil {
			return nil, fmt.Errorf("cannot copy %s: %w", source, err)
		}
	}
	env := append(LocalEnv(t.Endpoint), "TF_CLI_CONFIG_FILE="+t.CLIConfig, "LOCALAWS_MANAGEMENT="+t.Management,
		"PATH="+t.Localapp+string(os.PathListSeparator)+os.Getenv("PATH"))
	return &Example{folder: t.Dir, endpoint: t.Endpoint, Terraform: &Terraform{Binary: t.Binary, Env: env, Dir: filepath.Join(t.Dir, filepath.FromSlash(t.Name))}}, nil
}

// In returns another configuration of the same copy.
func (e *Example) In(name string) *Example {
	other := *e.Terraform
	other.Dir = filepath.Join(e.folder, filepath.FromSlash(name))
	return &Example{folder: e.folder, endpoint: e.endpoint, Terraform: &other}
}

// leftovers are the files that Terraform and localapp leave.
var leftovers = []string{".terraform", SiteDir, ".terraform.lock.hcl", "terraform.tfstate", "terraform.tfstate.backup"}

func lay(from, to string, pace ExamplePace) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(leftovers, d.Name()) && d.IsDir():
			return fs.SkipDir
		case slices.Contains(leftovers, d.Name()):
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, inside), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".tf" {
			text = []byte(pace.apply(string(text)))
		}
		return os.WriteFile(filepath.Join(to, inside), text, 0o644)
	})
}

// apply replaces the durations of the configuration by those of the pace that are set.
func (p ExamplePace) apply(text string) string {
	for names, duration := range map[string]string{
		"hold|bake": p.Hold, "settle": p.Settle, "steady_for": p.SteadyFor, "drain": p.Drain, "interval": p.Interval,
	} {
		if duration != "" {
			text = regexp.MustCompile(`\b(`+names+`)(\s*=\s*)"[^"]*"`).ReplaceAllString(text, `${1}${2}"`+duration+`"`)
		}
	}
	return text
}

// Set writes the values of variables: the user's edit of terraform.tfvars.
func (e *Example) Set(values map[string]any) error {
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(e.Terraform.Dir, "terraform.tfvars.json"), text, 0o644)
}

// Edit changes a file of the configuration; it fails where the text is not found.
func (e *Example) Edit(file, old, replacement string) error {
	path := filepath.Join(e.Terraform.Dir, filepath.FromSlash(file))
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), old) {
		return fmt.Errorf("%s has no %q", file, old)
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o644)
}

// Output reads an output value of the state.
func (e *Example) Output(name string, into any) error {
	text, err := e.Terraform.Output("output", "-json", name)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Init runs terraform init.
func (e *Example) Init() error {
	var out strings.Builder
	if err := e.Terraform.Run(&out, "init", "-no-color"); err != nil {
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	return nil
}

// Apply runs terraform apply and writes its output to out.
func (e *Example) Apply(out io.Writer, args ...string) error {
	return e.Terraform.Run(out, append([]string{"apply", "-no-color", "-auto-approve"}, args...)...)
}

// Site is the directory of what the configuration has created.
func (e *Example) Site() string { return filepath.Join(e.Terraform.Dir, SiteDir) }

// Weights returns the listener's weight of each environment.
func (e *Example) Weights(ctx context.Context) (map[string]int, error) {
	site, err := OpenSite(e.Site(), e.endpoint, "")
	if err != nil {
		return nil, err
	}
	return site.weights(ctx, "web", "app-")
}

// Close kills every process of the copy.
func (e *Example) Close() error { return Evacuate(e.folder) }
