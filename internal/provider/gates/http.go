package gates

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// httpKind requests a URL and checks the response.
func httpKind() kind {
	return kind{
		name:         "http",
		inconclusive: 10 * time.Minute,
		description: "Requests a URL and checks the response. An unexpected response, or a connection that breaks after the request was sent, fails. " +
			"An unresolved host, a refused connection, an untrusted certificate and a timeout are errors (could not measure). Redirects are not followed.",
		arguments: httpAttributes(),
		blocks:    map[string]schema.Block{"json": jsonBlock()},
		read:      readHTTP,
	}
}

func httpAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	texts := func(description string) schema.MapAttribute {
		return schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return withRequest("The `http` or `https` URL to request.", map[string]schema.Attribute{
		"method": text("HTTP method. Default: `GET`."),
		"body":   text("Request body. Default: none."),
		"expect_status": schema.ListAttribute{
			Optional:            true,
			ElementType:         types.Int64Type,
			MarkdownDescription: "Status codes that pass, each from 100 to 599. Default: 200 to 299.",
		},
		"expect_headers": texts("Map of header to the exact value that the response must have. Default: none."),
		"expect_body":    text("Regular expression (RE2) that the first MiB of the response body must match, for example to require a version. " + placeholdersNote + " Default: any body."),
		"max_latency":    text("Maximum time of a request from the start of its connection to the last byte, as a duration. Default: `0s`, no limit other than the gate's `timeout`."),
		"samples": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Number of requests per evaluation, 1 or more, sent one after the other on separate connections. All must pass. Default: `1`.",
		},
		"insecure_skip_verify": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: "Accept any server certificate. Default: `false`.",
		},
	})
}

// jsonBlock is a value of a JSON body.
func jsonBlock() schema.ListNestedBlock {
	number := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "What a value in the response body must be. The body must be JSON of at most 1 MiB then. There can be several such blocks, and all must be met.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"path": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "JSONPath (RFC 9535) of the value, such as `$.checks[*].status`. A path that selects nothing fails; if it selects several values, each must be as expected.",
			},
			"min":    number("Minimum value; what is not a number fails. Exactly one of limits (`min`, `max` or both) and `equals` must be set."),
			"max":    number("Maximum value. Default: no limit."),
			"equals": schema.StringAttribute{Optional: true, MarkdownDescription: "Exact value: the text of a string, a number, `true`, `false` or `null`. Excludes `min` and `max`. Default: none."},
		}},
	}
}

// jsonValues reads the blocks json. Unknown values are replaced by valid placeholders.
func (r reader) jsonValues(v attr.Value) []gate.JSONValue {
	var all []gate.JSONValue
	for _, block := range r.Blocks(v) {
		a := r.Attributes(block)
		if a == nil {
			all = append(all, gate.JSONValue{Path: "$", Equals: new(string)})
			continue
		}
		one := gate.JSONValue{
			Path: r.textOr(a["path"], "$"),
			Min:  r.limit(a["min"], -math.MaxFloat64),
			Max:  r.limit(a["max"], math.MaxFloat64),
		}
		limited := one.Min != nil || one.Max != nil
		switch {
		case unknown(a["equals"]) && !limited:
			one.Equals = new(string)
		case unknown(a["min"], a["max"]) && !input.Missing(a["equals"]):
			one.Min, one.Max, one.Equals = nil, nil, new(r.Text(a["equals"])) // they may turn out to be null
		case !unknown(a["equals"]) && !input.Missing(a["equals"]):
			one.Equals = new(r.Text(a["equals"]))
		}
		all = append(all, one)
	}
	return all
}

func readHTTP(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.HTTP{
		Request:            r.request(at, a),
		Method:             r.Text(a["method"]),
		Body:               r.Text(a["body"]),
		ExpectStatus:       r.numbers(at.AtName("expect_status"), a["expect_status"]),
		ExpectHeaders:      r.Texts(at.AtName("expect_headers"), a["expect_headers"]),
		ExpectBody:         r.Text(a["expect_body"]),
		JSON:               r.jsonValues(a["json"]),
		MaxLatency:         r.Duration(at.AtName("max_latency"), a["max_latency"], 0),
		Samples:            r.Whole(at.AtName("samples"), a["samples"], 1, 1),
		InsecureSkipVerify: r.Boolean(a["insecure_skip_verify"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	addressed := hasElements(a["headers"]) || hasElements(a["headers_env"]) // their values may be unknown
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewHTTP(c, deps) },
		files:       r.files(at, a, c.Connection),
		beforeTrafficNote: func(idle []string) string {
			if addressed {
				return ""
			}
			return publicURLNote(c.URL, idle)
		},
		noteUnknown: !addressed && (a["url"].IsUnknown() || a["headers"].IsUnknown() || a["headers_env"].IsUnknown()),
	}
}

// publicURLNote warns about a request that may reach the live environment: test traffic
// reaches an idle environment by a header, a host or a port that a rule or listener
// matches.
func publicURLNote(address string, idle []string) string {
	u, err := url.Parse(address)
	if err != nil || u.Port() != "" {
		return ""
	}
	if slices.ContainsFunc(idle, func(name string) bool { return strings.Contains(u.Hostname(), name) }) {
		return ""
	}
	return fmt.Sprintf("sends requests to %s before any traffic without a header, host or port of the idle environment. If that is the public address, the live environment answers instead of %s.",
		u.Hostname(), schedule.And(idle))
}

func hasElements(v attr.Value) bool {
	m, ok := v.(types.Map)
	return ok && len(m.Elements()) > 0
}

// check reports what is wrong with a gate's arguments, except for arguments that are
// unknown as a whole.
func (r reader) check(at path.Path, a map[string]attr.Value, errs []*gate.ArgumentError) {
	for _, err := range errs {
		at, a := at, a
		if err.Block != "" {
			at = at.AtName(err.Block).AtListIndex(err.Index)
			list, _ := a[err.Block].(types.List)
			a = r.Attributes(list.Elements()[err.Index])
		}
		at, v := at.AtName(err.Argument), a[err.Argument]
		if err.Key != "" {
			m, _ := v.(types.Map)
			at, v = at.AtMapKey(err.Key), m.Elements()[err.Key]
		}
		if v == nil || !v.IsUnknown() {
			r.Add(wrongArgument(at, err.Err))
		}
	}
}

// numbers reads a list of numbers without null elements.
func (r reader) numbers(at path.Path, v attr.Value) []int {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	if len(list.Elements()) == 0 {
		return []int{} // unlike a list that is not set
	}
	var read []int
	for i, e := range list.Elements() {
		if input.Missing(e) {
			r.Add(input.NullElement(at.AtListIndex(i)))
		}
		if n, ok := e.(types.Int64); ok && r.Known(e) {
			read = append(read, int(n.ValueInt64()))
		}
	}
	return read
}
