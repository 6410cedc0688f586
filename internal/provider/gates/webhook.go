package gates

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// webhookKind lets another system, or a person, decide.
func webhookKind() kind {
	return kind{
		name: "webhook",
		// A person may decide as late as tomorrow.
		inconclusive: 24 * time.Hour,
		description: "Sends a POST with the state of the shift and decides by the response status: 200 to 299 passes, 202 and 425 are inconclusive (not decided yet), other 4xx and 5xx fail. " +
			"No response within `timeout`, redirects and other statuses are errors. The JSON body is described by `docs/webhook.schema.json` in the provider repository; see [Choosing gates](../guides/choosing-gates.md).",
		arguments: webhookAttributes(),
		read:      readWebhook,
	}
}

func webhookAttributes() map[string]schema.Attribute {
	return withRequest("The `http` or `https` URL to send to.", map[string]schema.Attribute{
		"secret_env": secretAttribute("the secret that signs requests (HMAC-SHA256 in `X-Bluegreen-Signature-256`; see [Choosing gates](../guides/choosing-gates.md))"),
	})
}

func readWebhook(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.Webhook{
		Request:   r.request(at, a),
		SecretEnv: r.filled(at.AtName("secret_env"), a["secret_env"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{build: func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewWebhook(c, deps) }}
}
