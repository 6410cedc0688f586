package gates

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// commandKind runs a program where Terraform runs.
func commandKind() kind {
	return kind{
		name:         "command",
		inconclusive: 10 * time.Minute,
		description: "Runs a program where Terraform runs, without a shell. Exit status 0 passes, 75 is inconclusive; 126, 127, 129 to 143, a signal, a program that cannot start and `timeout` are errors; any other status fails. " +
			"The state of the shift is in `BLUEGREEN_*` environment variables and as JSON in `BLUEGREEN_INPUT`. The last 20 lines of output are reported and stored in the state. See [Choosing gates](../guides/choosing-gates.md).",
		arguments: map[string]schema.Attribute{
			"argv": schema.ListAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "Program and arguments. A program without a slash is looked up in `PATH`; a relative path is resolved against `working_dir`.",
			},
			"working_dir": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Working directory. Default: the working directory of Terraform.",
			},
			"env": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Map of environment variables to add. Stored in the state and shown in plans, so do not use it for secrets. Default: none.",
			},
		},
		read: readCommand,
	}
}

func readCommand(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	argv, known := r.argv(at.AtName("argv"), a["argv"])
	if !known { // the elements cannot be checked one by one
		a = maps.Clone(a)
		a["argv"] = types.ListUnknown(types.StringType)
	}
	c := gate.Command{
		Argv:       argv,
		WorkingDir: r.filled(at.AtName("working_dir"), a["working_dir"]),
		Env:        r.values(at.AtName("env"), a["env"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	read := configuration{build: func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewCommand(c, deps) }}
	if r.Diags.ErrorsCount() == before && !r.Unknown {
		read.absent = c.Absent
	}
	return read
}

// argv reads a list of strings without null elements; false where part of it is
// unknown.
func (r reader) argv(at path.Path, v attr.Value) ([]string, bool) {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil, v == nil || !v.IsUnknown()
	}
	var read []string
	known := true
	for i, e := range list.Elements() {
		if input.Missing(e) {
			r.Add(input.NullElement(at.AtListIndex(i)))
		}
		known = known && !e.IsUnknown()
		read = append(read, r.Text(e))
	}
	return read, known
}

// values reads a map of strings without null elements.
func (r reader) values(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.Known(v) || !ok {
		return nil
	}
	read := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(m.Elements())) {
		e := m.Elements()[key]
		if input.Missing(e) {
			r.Add(input.NullElement(at.AtMapKey(key)))
		}
		read[key] = r.Text(e)
	}
	return read
}
