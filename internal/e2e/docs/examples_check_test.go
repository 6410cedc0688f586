package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// configurations are the folders of examples/ that are root modules, by what
// their files say.
func configurations(t *testing.T) []string {
	t.Helper()
	built := e2e.Build(t)
	files, err := filepath.Glob(filepath.Join(built.Root, "examples", "*", "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob(filepath.Join(built.Root, "examples", "two-states", "*", "main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range slices.Concat(files, deeper) {
		name, err := filepath.Rel(filepath.Join(built.Root, "examples"), filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(name))
	}
	return names
}

func TestExamples_validate(t *testing.T) {
	built := e2e.Build(t)
	for _, name := range configurations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(built.Root, "examples", name)
			text, err := os.ReadFile(filepath.Join(folder, "main.tf"))
			if err != nil {
				t.Fatal(err)
			}
			terraform := built.In(copied(t, built, name))
			if others := otherProviders(string(text)); len(others) > 0 {
				terraform.Env = []string{"TF_CLI_CONFIG_FILE=" + built.WithPlugins(t, others[0], others[1:]...)}
			}
			for _, args := range [][]string{{"init", "-no-color", "-backend=false"}, {"validate", "-no-color"}} {
				var out strings.Builder
				if err := terraform.Run(&out, args...); err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
			}
		})
	}
}

// otherProvider is the source of a required provider of HashiCorp.
var otherProvider = regexp.MustCompile(`(?m)^\s*source\s*=\s*"(hashicorp/[a-z]+)"`)

// otherProviders are the providers of HashiCorp that a configuration requires.
func otherProviders(text string) []string {
	var names []string
	for _, match := range otherProvider.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

// copied copies the examples to a folder of the test and returns the folder of one.
func copied(t *testing.T, built e2e.Programs, name string) string {
	t.Helper()
	dir := t.TempDir()
	example, err := rehearsal.NewExample(rehearsal.ExampleTerms{Sources: []string{filepath.Join(built.Root, "examples")}, Name: name, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return example.Terraform.Dir
}

// Formatting needs no provider, and fails for a file that does not parse.
func TestExamples_areFormatted(t *testing.T) {
	built := e2e.Build(t)
	terraform := built.In(built.Root)
	for _, folder := range []string{"examples", filepath.Join("internal", "e2e", "testdata")} {
		var out strings.Builder
		if err := terraform.Run(&out, "fmt", "-check", "-diff", "-recursive", folder); err != nil {
			t.Errorf("%s: %v\n%s", folder, err, out.String())
		}
	}
}

// firstLine says when to use an example.
var firstLine = regexp.MustCompile(`(?m)\A# .+\n\n(Choose .+)$`)

func TestExamples_describeWhenToUseThem(t *testing.T) {
	built := e2e.Build(t)
	index, err := os.ReadFile(filepath.Join(built.Root, "examples", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if before, _, found := strings.Cut(string(index), "](two-environments)"); !found || strings.Contains(before, "](") {
		t.Error("two-environments is not the first example of the list")
	}
	for _, name := range configurations(t) {
		name, _, _ = strings.Cut(name, "/")
		if !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("examples/README.md does not list %s", name)
		}
		text, err := os.ReadFile(filepath.Join(built.Root, "examples", name, "README.md"))
		if err != nil {
			t.Error(err)
			continue
		}
		if name != "quickstart" && !firstLine.Match(text) {
			t.Errorf("examples/%s/README.md does not begin with when to choose it", name)
		}
	}
}
