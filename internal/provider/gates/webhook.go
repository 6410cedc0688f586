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
		description: "Sends a POST with the state of the shift and decides by the status: 200 to 299 passes, and is not asked again at that step; 202 is inconclusive (not decided yet). " +
			"408, 409, 425, 429, 501 and above, a redirect and no response are errors; other statuses fail. The JSON body is described by `docs/webhook.schema.json`; see [Choosing gates](../guides/choosing-gates.md).",
		arguments: webhookAttributes(),
		read:      readWebhook,
	}
}

func webhookAttributes() map[string]schema.Attribute {
	return withRequest("The `http` or `https` URL to send to.", map[string]schema.Attribute{
		"success_codes": schema.ListAttribute{
			Optional: true, ElementType: types.Int64Type,
			MarkdownDescription: "Status codes that pass, each from 200 to 599. Default: 200 to 299 other than 202 and `pending_codes`.",
		},
		"pending_codes": schema.ListAttribute{
			Optional: true, ElementType: types.Int64Type,
			MarkdownDescription: "Status codes from 200 to 599 that are inconclusive (not decided yet) in addition to 202, such as 403 of a Flagger load tester whose gate is closed. Default: none.",
		},
		"standard_webhooks_secret_env": secretAttribute("the secret, `whsec_` and base64, that signs requests as in [Standard Webhooks](https://www.standardwebhooks.com) (`webhook-id`, `webhook-timestamp`, `webhook-signature`)"),
		"secret_env":                   secretAttribute("the secret that signs requests (HMAC-SHA256 in `X-Bluegreen-Signature-256`; see [Choosing gates](../guides/choosing-gates.md))"),
	})
}

func readWebhook(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := r.signed(at, a)
	c.SuccessCodes = r.numbers(at.AtName("success_codes"), a["success_codes"])
	c.PendingCodes = r.numbers(at.AtName("pending_codes"), a["pending_codes"])
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		passLasts:   true,
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewWebhook(c, deps) },
		files:       r.files(at, a, c.Connection),
	}
}

// signed reads where a webhook sends, and how it signs.
func (r reader) signed(at path.Path, a map[string]attr.Value) gate.Webhook {
	return gate.Webhook{
		Request:           r.request(at, a),
		SecretEnv:         r.filled(at.AtName("secret_env"), a["secret_env"]),
		StandardSecretEnv: r.filled(at.AtName("standard_webhooks_secret_env"), a["standard_webhooks_secret_env"]),
	}
}

// FixedWebhook reads the arguments of a webhook that is no gate, so that it has neither placeholders
// nor codes, and reports what is wrong with them.
func FixedWebhook(r *input.Reader, at path.Path, a map[string]attr.Value) gate.Webhook {
	own, before := reader{r}, r.Diags.ErrorsCount()
	c := own.signed(at, a)
	if r.Diags.ErrorsCount() == before {
		own.check(at, a, c.CheckFixed())
	}
	return c
}
