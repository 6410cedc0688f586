package provider

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// webhookKind lets somebody else decide.
func webhookKind() gateKind {
	return gateKind{
		name: "webhook",
		// A person decides, perhaps tomorrow.
		inconclusive: 24 * time.Hour,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Sends a POST that says where the shift stands, and goes by the status of the answer, so that a person or another system decides. 200 to 299 passes, but for 202; " +
				"202 and 425 are inconclusive (not yet), for `inconclusive_timeout`, which is `24h` for this kind; 400 to 599, but for 425, is a fail. " +
				"No answer within the gate's `timeout`, a connection that breaks, a redirect (which is not followed) and any other status are errors of measuring. " +
				"The beginning of the answer's body is told unless it passes, so it can name who is being waited for. " +
				"The body that is sent is JSON, described by `docs/webhook.schema.json` in the provider's repository.",
			Attributes: webhookAttributes(),
		},
		read: readWebhook,
	}
}

func webhookAttributes() map[string]schema.Attribute {
	headers := schema.MapAttribute{
		Optional: true, Sensitive: true, ElementType: types.StringType,
		MarkdownDescription: "Header => value to send; `Host` is the host that is asked for. Shown as sensitive, but kept in the state: put secrets into `headers_env`. Default: none.",
	}
	return map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The `http` or `https` URL to send to. It is kept in the state and shown in plans, so it is no place for a secret; messages name its host alone. Proxies are taken from the environment.",
		},
		"headers": headers,
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Header => name of the environment variable that holds its value. It must be set where Terraform applies. Default: none.",
		},
		"secret_env": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Name of the environment variable that holds the secret of the signature. It must be set where Terraform applies. With it the header `X-Bluegreen-Signature-256` is sent: `sha256=` and the HMAC-SHA256, in lower-case hexadecimal, " +
				"of the header `X-Bluegreen-Timestamp` (seconds since 1970), a dot, and the body byte for byte. Recompute it, compare in constant time, and refuse timestamps that are more than a few minutes off, so that a recorded request cannot be sent again. Default: no signature.",
		},
	}
}

func readWebhook(r *reader, at path.Path, a map[string]attr.Value) gateConfig {
	before := r.diags.ErrorsCount()
	c := gate.Webhook{
		URL:        r.text(a["url"]),
		Headers:    r.texts(at.AtName("headers"), a["headers"]),
		HeadersEnv: r.texts(at.AtName("headers_env"), a["headers_env"]),
		SecretEnv:  r.filled(at.AtName("secret_env"), a["secret_env"]),
	}
	if r.diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return gateConfig{build: func(means gate.Dependencies) (rollout.Gate, error) { return gate.NewWebhook(c, means) }}
}

// filled reads a text that is not empty where it is written: an empty name of a
// secret would mean that none is sent.
func (r *reader) filled(at path.Path, v attr.Value) string {
	if missing(v) {
		return ""
	}
	text, _ := r.element(at, v)
	return text
}
