package gates

import (
	"math"
	"net/http"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// prometheusKind queries a Prometheus server.
func prometheusKind() kind {
	return kind{
		name:         "prometheus",
		inconclusive: 10 * time.Minute,
		description: "Evaluates an instant query on a Prometheus server. A scalar, or every sample of a vector, must be within `min` and `max`. " +
			"No data and NaN count by `on_no_data`, a partial response is inconclusive; a refused query, another result type and a timeout are errors. For a range such as `[1m]`, set `initial_delay` to that range.",
		arguments: prometheusAttributes(),
		read:      readPrometheus,
	}
}

func prometheusAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	return withRequest("The `http` or `https` URL of the server without `/api/v1`, such as `https://prometheus.example.com`.", map[string]schema.Attribute{
		"query": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "PromQL expression that returns a scalar or an instant vector. Select the environment that gains traffic by a label such as the version.",
		},
		"min":              schema.NumberAttribute{Optional: true, MarkdownDescription: "Minimum value, in the unit of the query. At least one of `min` and `max` is required. Default: no limit."},
		"max":              schema.NumberAttribute{Optional: true, MarkdownDescription: "Maximum value, in the unit of the query. Default: no limit."},
		"on_no_data":       onNoDataAttribute("an empty result and NaN count as"),
		"allow_partial":    schema.BoolAttribute{Optional: true, MarkdownDescription: "Evaluate a result although the server reports that data is missing, as Thanos, Mimir and VictoriaMetrics do; otherwise it is inconclusive. Default: `false`."},
		"method":           text("HTTP method of the query: `GET`, for servers that refuse `POST`, or `POST`. Default: `POST`, and `GET` after a response 405 or 501."),
		"bearer_token_env": secretAttribute("a token to send as `Authorization: Bearer`"),
		"ca_file":          text("Path of a PEM file with the CA certificates to trust. Default: the system certificates."),
	})
}

func readPrometheus(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.Prometheus{
		Request:        r.request(at, a),
		Query:          r.Text(a["query"]),
		Min:            r.limit(a["min"], -math.MaxFloat64),
		Max:            r.limit(a["max"], math.MaxFloat64),
		BearerTokenEnv: r.filled(at.AtName("bearer_token_env"), a["bearer_token_env"]),
		CAFile:         r.filled(at.AtName("ca_file"), a["ca_file"]),
		Method:         r.optionalChoice(at.AtName("method"), a["method"], http.MethodGet, http.MethodPost),
		OnNoData:       r.onNoData(at.AtName("on_no_data"), a["on_no_data"]),
		AllowPartial:   r.Boolean(a["allow_partial"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{build: func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewPrometheus(c, deps) }}
}
