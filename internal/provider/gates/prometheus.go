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
		blocks:    map[string]schema.Block{"basic_auth": basicAuthBlock(), "sigv4": sigV4Block()},
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
			MarkdownDescription: "PromQL expression that returns a scalar or an instant vector. Select the environment that gains traffic by a label such as the version, with a [placeholder](../guides/choosing-gates.md#placeholders) in quotes: `{version=\"{{incoming.version}}\"}`.",
		},
		"min":              schema.NumberAttribute{Optional: true, MarkdownDescription: "Minimum value, in the unit of the query. At least one of `min` and `max` is required. Default: no limit."},
		"max":              schema.NumberAttribute{Optional: true, MarkdownDescription: "Maximum value, in the unit of the query. Default: no limit."},
		"on_no_data":       onNoDataAttribute("an empty result and NaN count as"),
		"allow_partial":    schema.BoolAttribute{Optional: true, MarkdownDescription: "Evaluate a result although the server reports that data is missing, as Thanos, Mimir and VictoriaMetrics do; otherwise it is inconclusive. Default: `false`."},
		"method":           text("HTTP method of the query: `GET`, for servers that refuse `POST`, or `POST`. Default: `POST`, and `GET` after a response 405 or 501."),
		"bearer_token_env": secretAttribute("a token to send as `Authorization: Bearer`"),
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
		BasicAuth:      r.basicAuth(at.AtName("basic_auth"), a["basic_auth"]),
		SigV4:          r.sigV4(at.AtName("sigv4"), a["sigv4"]),
		Method:         r.optionalChoice(at.AtName("method"), a["method"], http.MethodGet, http.MethodPost),
		OnNoData:       r.onNoData(at.AtName("on_no_data"), a["on_no_data"]),
		AllowPartial:   r.Boolean(a["allow_partial"]),
	}
	if r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	var regionless *fault
	if signed := r.Blocks(a["sigv4"]); len(signed) == 1 && !unknown(a["url"]) && c.NeedsRegion() {
		regionless = needsRegion(at.AtName("sigv4").AtListIndex(0).AtName("region"), r.Attributes(signed[0])["region"], "The signature needs", "")
	}
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		regionless:  regionless,
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewPrometheus(c, deps) },
		files:       r.files(at, a, c.Connection),
	}
}

func basicAuthBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "User and password to send as `Authorization: Basic`. Only one of this block, `sigv4`, `bearer_token_env` and an `Authorization` header can be set.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"username": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the user, without a colon."},
			"password_env": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the environment variable with the password, which must be set where Terraform runs.",
			},
		}},
	}
}

func sigV4Block() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "Sign requests with the AWS credentials of the provider (Signature Version 4, service `aps`), for Amazon Managed Service for Prometheus. They need `aps:QueryMetrics` and `aps:GetLabels`.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"region": schema.StringAttribute{Optional: true, MarkdownDescription: "Region of the workspace. Default: the region in `url`, otherwise that of the routes or, for Route 53 and Kubernetes, that of the provider."},
		}},
	}
}

func (r reader) basicAuth(at path.Path, v attr.Value) *gate.BasicAuth {
	_, a := r.Block(at, v)
	if a == nil {
		return nil
	}
	return &gate.BasicAuth{Username: r.textOr(a["username"], "unknown"), PasswordEnv: r.textOr(a["password_env"], "UNKNOWN")}
}

func (r reader) sigV4(at path.Path, v attr.Value) *gate.SigV4 {
	_, a := r.Block(at, v)
	if a == nil {
		return nil
	}
	return &gate.SigV4{Region: r.Text(a["region"])}
}
