package gates

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/datadog"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// datadogKind queries metrics of Datadog.
func datadogKind() kind {
	return kind{
		name:         "datadog",
		inconclusive: 10 * time.Minute,
		description: "Evaluates a metrics query, or a formula over several, in Datadog. The value of every group must be within `min` and `max`. " +
			"Only data counts from after the last weight change, at most `lookback` long, that is at least `lag` old; until there is some, the gate is inconclusive. " +
			"No data counts by `on_no_data`; a rejected request, a rate limit and a timeout are errors.",
		arguments: datadogAttributes(),
		blocks:    map[string]schema.Block{"metric": metricBlock()},
		read:      readDatadog,
	}
}

const (
	datadogQueryDescription = "Metrics query, such as `avg:checkout.duration{version:{{incoming.version}}}`. [Placeholders](../guides/choosing-gates.md#placeholders) are written as Datadog stores tags."
	aggregatorDescription   = "How the points of the window become one value: `avg`, `min`, `max`, `sum`, `last`, `percentile`, `mean`, `l2norm` or `area`."
)

func datadogAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	number := func(description string) schema.NumberAttribute {
		return schema.NumberAttribute{Optional: true, MarkdownDescription: description}
	}
	key := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Required: true, MarkdownDescription: "Name of the environment variable with " + description + ", which must be set where Terraform runs."}
	}
	return withRequest("", map[string]schema.Attribute{
		"query":       text(datadogQueryDescription + " Exactly one of `query` and `formula` must be set."),
		"formula":     text("Formula over the names of the blocks `metric`, such as `100 * errors / hits`. Needs version `v2` of the API. Exactly one of `query` and `formula` must be set."),
		"api_version": text("`v2` (one value per group, `POST /api/v2/query/scalar`) or `v1` (every point of each time series, `GET /api/v1/query`). Default: `v2`."),
		"aggregator":  text(aggregatorDescription + " Applies to each `metric` without an `aggregator`. Only with version `v2` of the API. Default: `avg`."),
		"min":         number("Minimum value, in the unit of the query. At least one of `min` and `max` is required. Default: no limit."),
		"max":         number("Maximum value, in the unit of the query. Default: no limit."),
		"lookback":    text("Length of the window that is evaluated, as a duration of at least `10s`. It never begins before the last weight change. Default: `5m`."),
		"lag":         text("Age from which data counts as complete, as a duration. Metrics that Datadog reads from a cloud need `15m` or more. Default: `60s`."),
		"on_no_data":  onNoDataAttribute("a window without a series, and a series without a value, count as"),
		"site":        text("Host name of your Datadog site, such as `datadoghq.eu` or `us3.datadoghq.com`. Conflicts with `url`. Default: `datadoghq.com`."),
		"url":         text("The `http` or `https` URL of the API without `/api`, such as that of a proxy. " + placeholdersNote + " Stored in the state and shown in plans, so do not put secrets in it. Default: `https://api.` and `site`."),
		"api_key_env": key("the API key"),
		"app_key_env": key("the application key, whose owner needs the permission `timeseries_query`"),
	})
}

// metricBlock is a query for a formula.
func metricBlock() schema.ListNestedBlock {
	required := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Required: true, MarkdownDescription: description}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "A metrics query for `formula`.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name":       required("Name used in the formula: a letter, then letters, digits and underscores."),
			"query":      required(datadogQueryDescription),
			"aggregator": schema.StringAttribute{Optional: true, MarkdownDescription: aggregatorDescription + " Default: the `aggregator` of the gate."},
		}},
	}
}

func readDatadog(r reader, at path.Path, a map[string]attr.Value) configuration {
	before := r.Diags.ErrorsCount()
	c := gate.Datadog{
		Request:    r.request(at, a),
		Site:       r.filled(at.AtName("site"), a["site"]),
		APIVersion: r.optionalChoice(at.AtName("api_version"), a["api_version"], datadog.V2, datadog.V1),
		Query:      r.textOr(a["query"], "unknown"),
		Formula:    r.textOr(a["formula"], "unknown"),
		Metrics:    readDatadogMetrics(r, at.AtName("metric"), a["metric"]),
		Aggregator: readAggregator(r, at, a),
		Min:        r.limit(a["min"], -math.MaxFloat64),
		Max:        r.limit(a["max"], math.MaxFloat64),
		Lookback:   r.Positive(at.AtName("lookback"), a["lookback"], gate.DefaultLookback),
		Lag:        r.Duration(at.AtName("lag"), a["lag"], gate.DefaultDatadogLag),
		OnNoData:   r.onNoData(at.AtName("on_no_data"), a["on_no_data"]),
		APIKeyEnv:  r.textOr(a["api_key_env"], "UNKNOWN"),
		AppKeyEnv:  r.textOr(a["app_key_env"], "UNKNOWN"),
	}
	c.URL = r.filled(at.AtName("url"), a["url"]) // empty would be the default
	// Which of them conflict may depend on unknown values.
	if !unknown(a["query"], a["formula"], a["metric"], a["api_version"], a["site"], a["url"]) && r.Diags.ErrorsCount() == before {
		r.check(at, a, c.Check())
	}
	return configuration{
		withoutLive: needsLive(at, c.NeedsLive()),
		build:       func(deps gate.Dependencies) (rollout.Gate, error) { return gate.NewDatadog(c, deps) },
		lag:         c.FirstData(),
		unknown:     unknown(a["lookback"], a["lag"]),
		files:       r.files(at, a, c.Connection),
	}
}

// readAggregator reads an aggregator; empty where it is not set or unknown.
func readAggregator(r reader, at path.Path, a map[string]attr.Value) string {
	return r.optionalChoice(at.AtName("aggregator"), a["aggregator"], datadog.Aggregators()...)
}

func readDatadogMetrics(r reader, at path.Path, v attr.Value) []datadog.Metric {
	list, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	var all []datadog.Metric
	for i, e := range list.Elements() {
		unknownName := fmt.Sprint("unknown", i)
		one := datadog.Metric{Name: unknownName, Query: "unknown"}
		if a := r.Attributes(e); a != nil {
			one = datadog.Metric{Name: r.textOr(a["name"], unknownName), Query: r.textOr(a["query"], "unknown"), Aggregator: readAggregator(r, at.AtListIndex(i), a)}
		}
		all = append(all, one)
	}
	return all
}
