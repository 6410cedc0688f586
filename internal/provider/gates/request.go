package gates

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// whereSet ends the description of every argument for a secret.
const whereSet = "which must be set where Terraform runs. Default: none."

// withRequest adds the arguments that all kinds which call a server have to those of a
// kind. The description says what the URL is.
func withRequest(urlDescription string, own map[string]schema.Attribute) map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: urlDescription + " Stored in the state and shown in plans, so do not put secrets in it.",
		},
		"headers": schema.MapAttribute{
			Optional: true, Sensitive: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the value to send; `Host` sets the host. Sensitive, but stored in the state: use `headers_env` for secrets. Default: none.",
		},
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the name of the environment variable with its value, " + whereSet,
		},
	}
	maps.Copy(all, own)
	return all
}

// secretAttribute is the argument for a secret, whose name ends in "_env". The description
// says what the secret is.
func secretAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "Name of the environment variable with " + description + ", " + whereSet,
	}
}

// onNoDataAttribute is the argument that says what missing data counts as. The description says
// which data.
func onNoDataAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "What " + description + ": `inconclusive`, `pass` or `fail`. Default: `inconclusive`.",
	}
}

// onNoData reads it. Empty: it is not set.
func (r reader) onNoData(at path.Path, v attr.Value) gate.OnNoData {
	return gate.OnNoData(r.optionalChoice(at, v, string(rollout.Inconclusive), string(rollout.Pass), string(rollout.Fail)))
}

// optionalChoice reads a string that is one of several; empty where it is not set or unknown.
func (r reader) optionalChoice(at path.Path, v attr.Value, among ...string) string {
	if !r.Known(v) {
		return ""
	}
	return r.Choice(at, v, among...)
}

func (r reader) request(at path.Path, a map[string]attr.Value) gate.Request {
	return gate.Request{
		URL:        r.Text(a["url"]),
		Headers:    r.Texts(at.AtName("headers"), a["headers"]),
		HeadersEnv: r.Texts(at.AtName("headers_env"), a["headers_env"]),
	}
}

// filled reads a string that must not be empty if it is set: an empty name of a secret
// would mean that no secret is sent.
func (r reader) filled(at path.Path, v attr.Value) string {
	if input.Missing(v) {
		return ""
	}
	text, _ := r.Element(at, v)
	return text
}
