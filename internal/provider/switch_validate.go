package provider

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// planTimeout bounds the one call that a plan may make.
const planTimeout = 5 * time.Second

// validate reports what is invalid in a configuration, as far as it is known.
func validate(config switchModel) diag.Diagnostics {
	var diags diag.Diagnostics
	if d := validateTraffic(config); d != nil {
		diags.Append(d)
	}
	rd := &reader{}
	w := rd.read(config, configuredTraffic(config))
	diags.Append(rd.diags...)
	if len(w.Weights.Names()) > elb.Limits().Groups {
		diags.Append(tooManyGroups(trafficPath(config), shift.ErrTooManyGroups))
	}
	return diags
}

// validateTraffic checks that exactly one of active and weights is set. An unknown value may turn out to be
// null.
func validateTraffic(config switchModel) diag.Diagnostic {
	switch {
	case config.Active.IsNull() && config.Weights.IsNull():
		return neitherActiveNorWeights()
	case config.Active.IsUnknown() || config.Weights.IsUnknown():
		return nil
	case !config.Active.IsNull() && !config.Weights.IsNull():
		return activeAndWeights()
	}
	return nil
}

func configuredTraffic(config switchModel) trafficConfig {
	switch {
	case !config.Weights.IsNull() && !config.Weights.IsUnknown():
		return trafficConfig{weights: &config.Weights}
	case !config.Active.IsNull() && !config.Active.IsUnknown():
		return trafficConfig{active: &config.Active}
	}
	return trafficConfig{ignored: true}
}

// checkRules checks rules that a plan contains for the first time: whether a rule is its listener's default
// is not visible in the ARN. It reports nothing else; the apply does.
func (r *switchResource) checkRules(ctx context.Context, config switchModel, m release.Memory) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(ctx, planTimeout)
	defer cancel()
	var diags diag.Diagnostics
	for at, arn := range unreadRules(config, m) {
		if r.backend == nil || r.backend.aws.unknown {
			return nil
		}
		c, err := r.backend.connect(ctx, arn)
		if err != nil {
			return nil
		}
		if _, err := c.reader.Read(ctx, []string{arn}); errors.Is(err, elb.ErrDefaultRule) {
			diags.Append(defaultRule(at, arn))
		}
	}
	return diags
}

// unreadRules returns the rules that Read has not read, with their paths.
func unreadRules(config switchModel, m release.Memory) func(yield func(path.Path, string) bool) {
	return func(yield func(path.Path, string) bool) {
		own := &reader{}
		routes, _ := own.attributes(config.LoadBalancer)["routes"].(types.Map)
		for entry, v := range routes.Elements() {
			list, _ := v.(types.List)
			for i, e := range list.Elements() {
				a, err := elb.ParseRoute(asText(e))
				if _, seen := m.Routes[asText(e)]; err != nil || a.Kind != elb.Rule || seen {
					continue
				}
				if !yield(routesPath.AtMapKey(entry).AtListIndex(i), a.String()) {
					return
				}
			}
		}
	}
}
