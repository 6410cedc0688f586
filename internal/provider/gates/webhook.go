package gates

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// webhookKind lets another system, or a person, decide.
func webhookKind() kind {
	return kind{
		name: "webhook",
		// A person may decide as late as tomorrow.
		inconclusive: 24 * time.Hour,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Sends a POST with the state of the shift and decides by the response status: 200 to 299 passes, 202 and 425 are inconclusive (not decided yet), other 4xx and 5xx fail. " +
				"No response within `timeout`, redirects and other statuses are errors. The JSON body is described by `docs/webhook.schema.json` in the provider repository; see [Choosing gates](../guides/choosing-gates.md).",
			Attributes: webhookAttributes(),
		},
		read: readWebhook,
	}
}

func webhookAttributes() map[string]schema.Attribute {
	headers := schema.MapAttribute{
		Optional: true, Sensitive: true, ElementType: types.StringType,
		MarkdownDescription: "Map of header to the value to send; `Host` sets the host. Sensitive, but stored in the state: use `headers_env` for secrets. Default: none.",
	}
	return map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The `http` or `https` URL to send to. Stored in the state and shown in plans, so do not put secrets in it.",
		},
		"headers": headers,
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the name of the environment variable with its value, which must be set where Terraform runs. Default: none.",
		},
		"secret_env": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Name of the environment variable with the secret that signs requests (HMAC-SHA256 in `X-Bluegreen-Signature-256`); see [Choosing gates](../guides/choosing-gates.md). Default: no signature.",
		},
	}
}

func readWebhook(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.Webhook{
		URL:        r.Text(a["url"]),
		Headers:    r.Texts(at.AtName("headers"), a["headers"]),
		HeadersEnv: r.Texts(at.AtName("headers_env"), a["headers_env"]),
		SecretEnv:  r.filled(at.AtName("secret_env"), a["secret_env"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{build: func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewWebhook(c, deps) }}
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
