package provider

import (
	"math"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// prometheusKind asks a Prometheus server for a number.
func prometheusKind() gateKind {
	return gateKind{
		name:         "prometheus",
		inconclusive: 10 * time.Minute,
		attribute: schema.SingleNestedAttribute{
			Optional: true,
			MarkdownDescription: "Asks a Prometheus server for the result of an instant query, at the server's own time. A scalar must be within the limits; of a vector every sample must, and one outside is a fail. " +
				"No data is inconclusive: an empty vector, and a sample that is no number (NaN, as `0 / 0` gives). Infinite values compare as numbers. " +
				"A matrix, a string, a native histogram, a query that the server refuses and no answer within the gate's `timeout` are errors of measuring. " +
				"What a query with a range (`rate(...[1m])`) sees after a change of weights is in part from before it: give the gate an `initial_delay` of that range. Redirects are not followed.",
			Attributes: prometheusAttributes(),
		},
		read: readPrometheus,
	}
}

func prometheusAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	headers := schema.MapAttribute{
		Optional: true, Sensitive: true, ElementType: types.StringType,
		MarkdownDescription: "Header => value to send; `Host` is the host that is asked for. Shown as sensitive, but kept in the state: put secrets into `headers_env`. Default: none.",
	}
	return map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The `http` or `https` URL of the server, without `/api/v1`, such as `https://prometheus.example.com`. Proxies are taken from the environment.",
		},
		"query": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "PromQL whose result is a scalar or an instant vector. Select the side that gains, by version or environment. It is the server that reads it, so a mistake in it is seen when the gate is asked.",
		},
		"min":     schema.NumberAttribute{Optional: true, MarkdownDescription: "The least that passes, in the unit of the query. At least one of `min` and `max` is required. Default: no limit."},
		"max":     schema.NumberAttribute{Optional: true, MarkdownDescription: "The most that passes, in the unit of the query. Default: no limit."},
		"headers": headers,
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Header => name of the environment variable that holds its value. It must be set where Terraform applies. Default: none.",
		},
		"bearer_token_env": text("Name of the environment variable that holds a token, sent as `Authorization: Bearer <token>`. It must be set where Terraform applies. Default: none."),
		"ca_file":          text("Path of a file with the certificates (PEM) that alone are trusted, read where Terraform applies. Default: those of the machine."),
	}
}

func readPrometheus(r *reader, at path.Path, a map[string]attr.Value) gateConfig {
	before := r.diags.ErrorsCount()
	c := gate.Prometheus{
		URL:            r.text(a["url"]),
		Query:          r.text(a["query"]),
		Min:            r.limit(a["min"], -math.MaxFloat64),
		Max:            r.limit(a["max"], math.MaxFloat64),
		Headers:        r.texts(at.AtName("headers"), a["headers"]),
		HeadersEnv:     r.texts(at.AtName("headers_env"), a["headers_env"]),
		BearerTokenEnv: r.filled(at.AtName("bearer_token_env"), a["bearer_token_env"]),
		CAFile:         r.filled(at.AtName("ca_file"), a["ca_file"]),
	}
	if r.diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return gateConfig{build: func(means gate.Dependencies) (rollout.Gate, error) { return gate.NewPrometheus(c, means) }}
}
