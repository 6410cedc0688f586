package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// commandKind runs a program where Terraform runs.
func commandKind() gateKind {
	return gateKind{
		name:         "command",
		inconclusive: 10 * time.Minute,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Runs a program where Terraform runs, without a shell, and goes by its exit status: 0 passes, 75 (EX_TEMPFAIL) is inconclusive, any other fails, and so does an end by a signal. " +
				"A program that cannot be started is an error of measuring, and is looked for before anything moves. One that runs for longer than the gate's `timeout` is an error too; it is ended then, and when the apply is interrupted, with all that it has started: its process group gets SIGTERM, and 400 ms later SIGKILL. " +
				"It gets the environment that Terraform runs in, which is how secrets reach it, and where the shift stands in `BLUEGREEN_GATE`, `BLUEGREEN_SHIFT`, `BLUEGREEN_PART` (`before`, `during` or `after`), `BLUEGREEN_STEP`, `BLUEGREEN_STEPS`, `BLUEGREEN_ATTEMPT`, `BLUEGREEN_ELAPSED_SECONDS`, " +
				"`BLUEGREEN_FROM`, `BLUEGREEN_TO` and `BLUEGREEN_WEIGHTS` (percent, such as `blue=95,green=5`), `BLUEGREEN_ENVIRONMENTS` and `BLUEGREEN_TARGET_GROUPS` (those that gain, such as `web=<arn>,api=<arn>`), and all of it in `BLUEGREEN_MOMENT`, the JSON that a webhook gets. " +
				"The last 20 lines that it prints are told when it does not pass, and kept in the state. Nothing is masked in them: it must not print a secret.",
			Attributes: map[string]schema.Attribute{
				"argv": schema.ListAttribute{
					Required: true, ElementType: types.StringType,
					MarkdownDescription: "The program and its arguments, each as it is. A program without a slash is looked for in the folders of `PATH`, one with a slash from `working_dir`.",
				},
				"working_dir": schema.StringAttribute{
					Optional:            true,
					MarkdownDescription: "Path of the folder that it runs in. Default: where Terraform runs.",
				},
				"env": schema.MapAttribute{
					Optional: true, ElementType: types.StringType,
					MarkdownDescription: "Variable => value to add to the environment. Kept in the state and shown in plans, so it is no place for a secret. Default: none.",
				},
			},
		},
		read: readCommand,
	}
}

func readCommand(r *reader, at path.Path, a map[string]attr.Value) gateConfig {
	before := r.diags.ErrorsCount()
	argv, known := r.words(at.AtName("argv"), a["argv"])
	if !known { // of some of its elements nothing can be said of any
		a = maps.Clone(a)
		a["argv"] = types.ListUnknown(types.StringType)
	}
	c := gate.Command{
		Argv:       argv,
		WorkingDir: r.filled(at.AtName("working_dir"), a["working_dir"]),
		Env:        r.values(at.AtName("env"), a["env"]),
	}
	if r.diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	read := gateConfig{build: func(means gate.Dependencies) (rollout.Gate, error) { return gate.NewCommand(c, means) }}
	if r.diags.ErrorsCount() == before && !r.unknown {
		read.absent = c.Absent
	}
	return read
}

// words reads a list of texts in which nothing may be null; false where not all
// of it is known.
func (r *reader) words(at path.Path, v attr.Value) ([]string, bool) {
	list, ok := v.(types.List)
	if !r.known(v) || !ok {
		return nil, v == nil || !v.IsUnknown()
	}
	var read []string
	known := true
	for i, e := range list.Elements() {
		if missing(e) {
			r.add(nullElement(at.AtListIndex(i)))
		}
		known = known && !e.IsUnknown()
		read = append(read, r.text(e))
	}
	return read, known
}

// values reads a map of texts in which nothing may be null.
func (r *reader) values(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.known(v) || !ok {
		return nil
	}
	read := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(m.Elements())) {
		e := m.Elements()[key]
		if missing(e) {
			r.add(nullElement(at.AtMapKey(key)))
		}
		read[key] = r.text(e)
	}
	return read
}
