package gates

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// Every kind of gate follows "Add a gate kind" in CONTRIBUTING.md.
func TestGateKinds_followTheRecipe(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	guide := readFile(t, filepath.Join(root, "templates", "guides", "choosing-gates.md"))
	mentions := map[string]string{}
	for _, file := range []string{"CHANGELOG.md", filepath.Join("templates", "guides", "troubleshooting.md")} {
		mentions[file] = readFile(t, filepath.Join(root, file))
	}
	for _, kind := range kinds() {
		t.Run(kind.name, func(t *testing.T) {
			for _, pattern := range []string{
				filepath.Join(root, "internal", "gate", kind.name+".go"),
				filepath.Join(root, "internal", "gate", kind.name+"*_test.go"),
				kind.name + ".go",
			} {
				if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
					t.Errorf("there is no %s", pattern)
				}
			}
			if kind.inconclusive <= 0 {
				t.Error("inconclusive has no default")
			}
			checkGuide(t, guide, kind.name)
			for file, text := range mentions {
				if !strings.Contains(text, "`"+kind.name+"`") {
					t.Errorf("%s does not mention it", file)
				}
			}
			checkKindDescription(t, kind.description)
			checkArguments(t, kind.name, kind.arguments)
			for name, b := range kind.blocks {
				nested, ok := b.(schema.ListNestedBlock)
				if !ok {
					t.Fatalf("the block %s is not a list", name)
				}
				checkArguments(t, kind.name+"."+name, nested.NestedObject.Attributes)
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// checkGuide checks that each table of the guide about kinds has a row for the kind, that
// the kind is recommended for something, and that there is an example.
func checkGuide(t *testing.T, guide, kind string) {
	t.Helper()
	for _, section := range []string{"## Which environment does the gate observe?", "## Which kind of gate?"} {
		_, text, found := strings.Cut(guide, section+"\n")
		text, _, _ = strings.Cut(text, "\n## ")
		row := regexp.MustCompile("(?m)^\\|[^|]*`" + kind + "`[^|]*\\|")
		if !found || !row.MatchString(text) {
			t.Errorf("choosing-gates.md has no row for it under %q", section)
		}
	}
	if !regexp.MustCompile("(?m)^- .*\\*\\*`" + kind + "`\\*\\*").MatchString(guide) {
		t.Error("choosing-gates.md does not say when to choose it")
	}
	_, text, found := strings.Cut(guide, "\n### "+kind+"\n")
	text, _, _ = strings.Cut(text, "\n### ")
	_, example, _ := strings.Cut(text, "```terraform\n")
	example, _, _ = strings.Cut(example, "\n```")
	if !found || !strings.Contains(example, kind+" {") {
		t.Errorf("choosing-gates.md has no example under %q", "### "+kind)
	}
}

// Descriptions of kinds begin with what the gate does, such as "Checks".
var verbFirst = regexp.MustCompile(`^[A-Z][a-z]+s `)

// noResult is in the description of every kind: what is neither a pass nor a fail.
var noResult = regexp.MustCompile(`inconclusive|(is an|are) errors?\b`)

// mostWords is the length of a description. What is longer belongs in the guide.
const mostWords = 70

func checkKindDescription(t *testing.T, text string) {
	t.Helper()
	if !verbFirst.MatchString(text) {
		t.Errorf("its description does not begin with what it does: %s", text)
	}
	if n := len(strings.Fields(text)); n > mostWords || !strings.HasSuffix(text, ".") {
		t.Errorf("its description has %d words and may have %d, in full sentences: %s", n, mostWords, text)
	}
	if !noResult.MatchString(text) {
		t.Errorf("its description does not say when it has no result: %s", text)
	}
}

// optionalText is in the description of every optional argument: what happens without it.
var optionalText = regexp.MustCompile(`Default: |Required|is required|must be set`)

// secretName is in the name of an argument for a secret.
var secretName = regexp.MustCompile(`secret|token|password|credential|private_key|api_key`)

func checkArguments(t *testing.T, kind string, attributes map[string]schema.Attribute) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a, at := attributes[name], fmt.Sprint(kind, ".", name)
		text := a.GetMarkdownDescription()
		if n := len(strings.Fields(text)); n == 0 || n > mostWords || !strings.HasSuffix(text, ".") {
			t.Errorf("the description of %s has %d words, in full sentences: %s", at, n, text)
		}
		if a.IsOptional() && !optionalText.MatchString(text) {
			t.Errorf("the description of %s does not say what happens without it: %s", at, text)
		}
		// The state has every value, also the sensitive ones.
		byName := strings.HasSuffix(name, "_env")
		if secretName.MatchString(name) && !byName || byName != strings.Contains(strings.ToLower(text), "name of the environment variable") {
			t.Errorf("%s: an argument for a secret ends in _env and takes the name of the environment variable: %s", at, text)
		}
		if _, other := attributes[name+"_env"]; a.IsSensitive() && !other {
			t.Errorf("%s is sensitive, but there is no %s_env that keeps the secret out of the state", at, name)
		}
	}
}
