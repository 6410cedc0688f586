package notifying

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/notify"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
)

// whereSet ends the description of every argument for a secret.
const whereSet = "which must be set where Terraform applies."

// Block is the provider's block notify.
func Block() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "Destination of notifications about shifts, in exactly one of the blocks `slack` and `webhook`. They are sent in the background and never delay a shift; what cannot be delivered is a warning at the end of the apply. " +
			"See [Notifications](guides/notifications.md).",
		NestedObject: schema.NestedBlockObject{
			Attributes: map[string]schema.Attribute{
				"name": schema.StringAttribute{
					Required:            true,
					MarkdownDescription: "Name of the destination (that you choose), shown in warnings. Each needs a name of its own.",
				},
				"events": schema.ListAttribute{
					Optional: true, ElementType: types.StringType,
					MarkdownDescription: fmt.Sprintf("Events to send, a list of %s. Default: all but `step`.", eventNames()),
				},
			},
			Blocks: map[string]schema.Block{
				"slack": schema.ListNestedBlock{
					MarkdownDescription: "Sends messages to an [incoming webhook](https://api.slack.com/messaging/webhooks) of Slack.",
					NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
						"url_env": schema.StringAttribute{
							Required:            true,
							MarkdownDescription: "Name of the environment variable with the URL of the incoming webhook, which is a secret, " + whereSet,
						},
					}},
				},
				"webhook": schema.ListNestedBlock{
					MarkdownDescription: "Sends a POST with an event of [CloudEvents 1.0](https://cloudevents.io) in JSON, whose data `docs/notification.schema.json` describes. " +
						"A status from 200 to 299 accepts it; redirects are not followed.",
					NestedObject: schema.NestedBlockObject{Attributes: webhookArguments()},
				},
			},
		},
	}
}

// eventNames lists the events, as code.
func eventNames() string {
	var names []string
	for _, e := range notify.Events() {
		names = append(names, "`"+string(e)+"`")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// webhookArguments have the names that they have in a gate.
func webhookArguments() map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The `http` or `https` URL to send to. Do not put secrets in it.",
		},
		"headers": schema.MapAttribute{
			Optional: true, Sensitive: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the value to send; `Host` sets the host. Use `headers_env` for secrets. Default: none.",
		},
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the name of the environment variable with its value, " + whereSet + " Default: none.",
		},
		"secret_env": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Name of the environment variable with the secret that signs requests (HMAC-SHA256 in `X-Bluegreen-Signature-256`), " + whereSet + " Default: none.",
		},
		"standard_webhooks_secret_env": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Name of the environment variable with the secret, `whsec_` and base64, that signs requests as in [Standard Webhooks](https://www.standardwebhooks.com), " +
				whereSet + " Default: none.",
		},
	}
	for name, text := range gates.ConnectionTexts() {
		all[name] = schema.StringAttribute{Optional: true, MarkdownDescription: text}
	}
	return all
}
