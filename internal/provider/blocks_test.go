package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider"
)

// nest is a block of the schema with the names of the blocks around it, outermost first.
type nest struct {
	names  []string
	blocks []*tfprotov6.SchemaBlock // the arguments of each of them
}

// nests returns every block below one, with that one, in a fixed order.
func nests(root *tfprotov6.SchemaBlock, name string) []nest {
	return below(nest{[]string{name}, []*tfprotov6.SchemaBlock{root}})
}

func below(n nest) []nest {
	all := []nest{n}
	nested := n.blocks[len(n.blocks)-1].BlockTypes
	for _, b := range slices.SortedFunc(slices.Values(nested), func(a, b *tfprotov6.SchemaNestedBlock) int { return strings.Compare(a.TypeName, b.TypeName) }) {
		all = append(all, below(nest{append(slices.Clone(n.names), b.TypeName), append(slices.Clone(n.blocks), b.Block)})...)
	}
	return all
}

// hcl returns the block inside those around it, with the arguments that they require and these lines.
func (n nest) hcl(header string, lines ...string) string {
	for i, name := range slices.Backward(n.names) {
		all := append(required(n.blocks[i]), lines...)
		if i == 0 {
			name = header
		}
		lines = []string{block(name, all...)}
	}
	return lines[0] + "\n"
}

// required returns the required arguments of a block, with some value.
func required(b *tfprotov6.SchemaBlock) []string {
	var lines []string
	for _, a := range b.Attributes {
		if a.Required {
			lines = append(lines, a.Name+" = "+someValue(a))
		}
	}
	return lines
}

func someValue(a *tfprotov6.SchemaAttribute) string {
	switch {
	case a.NestedType != nil:
		return "{}"
	case a.Type.Is(tftypes.List{}):
		return `["some"]`
	case a.Type.Is(tftypes.Map{}):
		return "{}"
	}
	return `"some"`
}

// schemas returns the schema that Terraform gets.
func schemas(t *testing.T) *tfprotov6.GetProviderSchemaResponse {
	t.Helper()
	resp, err := provider.NewServer("test", nil)().GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// allNests returns the blocks of the provider and its resources with the headers of their
// outermost blocks, of which %d is a number.
func allNests(t *testing.T) map[string][]nest {
	all := map[string][]nest{`provider "bluegreen"`: nests(schemas(t).Provider.Block, "provider")}
	for name, s := range schemas(t).ResourceSchemas {
		all[fmt.Sprintf("resource %q \"r%%d\"", name)] = nests(s.Block, name)
	}
	for name, s := range schemas(t).DataSourceSchemas {
		all[fmt.Sprintf("data %q \"d%%d\"", name)] = nests(s.Block, name)
	}
	return all
}

// validationError is an error of terraform validate.
type validationError struct {
	Summary, Detail string
	Range           struct{ Filename string }
	Snippet         struct{ Code string }
}

// validated returns the errors of the files, by file.
func (w *workspace) validated(files map[string]string) map[string][]validationError {
	w.t.Helper()
	for name, text := range files {
		w.must(os.WriteFile(filepath.Join(w.dir, name+".tf"), []byte(text), 0o600))
	}
	out, _ := w.prepare("validate", "-json").Output() // an invalid configuration is exit status 1
	var found struct{ Diagnostics []validationError }
	if err := json.Unmarshal(out, &found); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	all := map[string][]validationError{}
	for _, d := range found.Diagnostics {
		name := strings.TrimSuffix(d.Range.Filename, ".tf")
		all[name] = append(all[name], d)
	}
	for name := range files {
		w.must(os.Remove(filepath.Join(w.dir, name+".tf")))
	}
	return all
}

// An argument that no block of a name has is Terraform's own error, in every block.
func TestBlocks_unknownArgumentIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	n, of := 0, map[string]nest{}
	files := map[string]string{"versions": requires}
	for header, blocks := range allNests(t) {
		for _, b := range blocks {
			n++
			name := fmt.Sprint(strings.Join(b.names, "."), "-", n)
			if strings.HasPrefix(header, "provider") { // in a module of its own: there is one provider block
				checkUnknownArgument(t, b, newWorkspace(t).validated(map[string]string{"versions": requires, name: b.hcl(header, "misspelled = 1") + "data \"bluegreen_switch\" \"it\" {\n routes = {}\n}\n"})[name])
				continue
			}
			h := header
			if strings.Contains(h, "%d") {
				h = fmt.Sprintf(h, n)
			}
			files[name], of[name] = b.hcl(h, "misspelled = 1"), b
		}
	}
	found := w.validated(files)
	for name, b := range of {
		checkUnknownArgument(t, b, found[name])
	}
}

func checkUnknownArgument(t *testing.T, b nest, found []validationError) {
	t.Helper()
	is := func(d validationError) bool {
		return d.Summary == "Unsupported argument" && strings.Contains(d.Detail, `"misspelled"`) && strings.Contains(d.Snippet.Code, "misspelled")
	}
	if !slices.ContainsFunc(found, is) {
		t.Errorf("%s has no error about an unknown argument: %v", strings.Join(b.names, "."), found)
	}
}

// Every block is a list, of which the schema allows one, except of those that are repeated. No
// block is in an object, in which Terraform drops what it does not know.
func TestBlocks_areListsOfOne(t *testing.T) {
	t.Parallel()
	var several []string
	for _, blocks := range allNests(t) {
		for _, n := range blocks {
			for _, b := range n.blocks[len(n.blocks)-1].BlockTypes {
				at := strings.Join(append(slices.Clone(n.names), b.TypeName), ".")
				switch {
				case b.Nesting != tfprotov6.SchemaNestedBlockNestingModeList:
					t.Errorf("%s is %s", at, b.Nesting)
				case b.MaxItems == 0:
					several = append(several, at)
				case b.MaxItems != 1:
					t.Errorf("%s: at most %d", at, b.MaxItems)
				}
			}
		}
	}
	slices.Sort(several)
	want := []string{"bluegreen_environment.ready.gate", "bluegreen_environment.ready.gate.cloudwatch_metric.query", "bluegreen_environment.ready.gate.datadog.metric", "bluegreen_environment.ready.gate.http.json",
		"bluegreen_switch.gate", "bluegreen_switch.gate.cloudwatch_metric.query", "bluegreen_switch.gate.datadog.metric", "bluegreen_switch.gate.http.json", "provider.notify"}
	if !slices.Equal(several, want) {
		t.Errorf("repeated are %q, want %q", several, want)
	}
}

// Objects with optional parts drop what is misspelled. Each of them is checked in another way.
func TestBlocks_objectsAreKnown(t *testing.T) {
	t.Parallel()
	var objects []string
	for _, blocks := range allNests(t) {
		for _, n := range blocks {
			for _, a := range n.blocks[len(n.blocks)-1].Attributes {
				if a.NestedType != nil && !a.Computed {
					objects = append(objects, strings.Join(append(slices.Clone(n.names), a.Name), "."))
				}
			}
		}
	}
	slices.Sort(objects)
	want := []string{
		"bluegreen_switch.environments",   // the resource: an inline one without version is a warning of the schedule
		"bluegreen_switch.environments",   // the data source
		"bluegreen_switch.strategy.steps", // both fields are required
	}
	if !slices.Equal(objects, want) {
		t.Errorf("got %q, want %q", objects, want)
	}
}

// mistakes are blocks in a switch that Terraform refuses.
var mistakes = map[string]string{
	"a misspelled argument of a gate": gateBlock("smoke", `intervall = "1s"`, block("http", `url = "http://h"`)),
	"an argument of no http":          gateBlock("smoke", block("http", `url = "http://h"`, `json_path = "$.ok"`)),
	"an argument of no metric":        gateBlock("m", block("cloudwatch_metric", `linked_account_id = "123456789012"`, "max = 1")),
	"a missing argument":              gateBlock("smoke", block("http", `method = "GET"`)),
	"a missing name":                  block("gate", block("http", `url = "http://h"`)),
	"two blocks of a kind":            gateBlock("smoke", block("http", `url = "http://h"`), block("http", `url = "http://g"`)),
	"an unknown kind":                 gateBlock("smoke", block("htpp", `url = "http://h"`)),
	"an incomplete query":             gateBlock("m", block("cloudwatch_metric", "expression = \"e\"\n max = 1", block("query", `id = "e"`, `namespace = "N"`, `stat = "Sum"`))),
	"gates as a map":                  `gates = { smoke = { http = { url = "http://h" } } }`,
	"two strategies":                  block("strategy", `bake = "1h"`),
	"a kind as an object":             gateBlock("smoke", `http = { url = "http://h" }`),
	"routes that are missing":         block("load_balancer", `stickiness = "1h"`),
}

func TestBlocks_mistakesAreErrorsOfTerraform(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	files := map[string]string{"versions": requires}
	for name, wrong := range mistakes {
		h := good()
		h.gates = wrong
		text := h.resource(strings.ReplaceAll(name, " ", "_"))
		if strings.HasPrefix(wrong, "load_balancer") {
			before, after, _ := strings.Cut(text, "  load_balancer {")
			_, after, _ = strings.Cut(after, "\n  }\n")
			text = before + after
		}
		files[name] = text
	}
	found := w.validated(files)
	text := ""
	for _, name := range slices.Sorted(maps.Keys(mistakes)) {
		text += "-- " + name + "\n"
		for _, d := range found[name] {
			text += d.Summary + ": " + d.Detail + "\n"
		}
		if found[name] == nil {
			t.Errorf("%s is no error", name)
		}
	}
	golden.Check(t, text)
}
