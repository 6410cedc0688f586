package elbv2

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	stickyEnabled       = "stickiness.enabled"
	stickyDuration      = "stickiness.lb_cookie.duration_seconds"
	stickyType          = "stickiness.type"
	deregistrationDelay = "deregistration_delay.timeout_seconds"
	minHealthyCount     = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
)

// attribute is a setting with a name and a default. Its values are restricted to allowed, or to a range if
// low < high; otherwise any value is valid.
type attribute struct {
	key, value string
	allowed    []string
	low, high  int
}

type attributeShape struct {
	Key   string
	Value string
}

type attributesResult struct {
	Attributes wire.List[attributeShape]
}

func booleans() []string { return []string{"true", "false"} }

func balancerAttributes(kind string) []attribute {
	common := []attribute{
		{key: "access_logs.s3.enabled", value: "false", allowed: booleans()},
		{key: "access_logs.s3.bucket"},
		{key: "access_logs.s3.prefix"},
		{key: deletionProtection, value: "false", allowed: booleans()},
		{key: "zonal_shift.config.enabled", value: "false", allowed: booleans()},
	}
	if kind == network {
		return append(common,
			attribute{key: "dns_record.client_routing_policy", value: "any_availability_zone"},
			attribute{key: crossZone, value: "false", allowed: booleans()},
			attribute{key: "secondary_ips.auto_assigned.per_subnet", value: "0", low: 0, high: 7},
		)
	}
	return append(common,
		attribute{key: "connection_logs.s3.enabled", value: "false", allowed: booleans()},
		attribute{key: "connection_logs.s3.bucket"},
		attribute{key: "connection_logs.s3.prefix"},
		attribute{key: "health_check_logs.s3.enabled", value: "false", allowed: booleans()},
		attribute{key: "health_check_logs.s3.bucket"},
		attribute{key: "health_check_logs.s3.prefix"},
		attribute{key: "client_keep_alive.seconds", value: "3600", low: 60, high: 604800},
		attribute{key: idleTimeout, value: "60", low: 1, high: 4000},
		attribute{key: "ipv6.deny_all_igw_traffic", value: "false", allowed: booleans()},
		attribute{key: crossZone, value: "true", allowed: []string{"true"}},
		attribute{key: "routing.http2.enabled", value: "true", allowed: booleans()},
		attribute{key: "routing.http.desync_mitigation_mode", value: "defensive", allowed: []string{"monitor", "defensive", "strictest"}},
		attribute{key: "routing.http.drop_invalid_header_fields.enabled", value: "false", allowed: booleans()},
		attribute{key: "routing.http.preserve_host_header.enabled", value: "false", allowed: booleans()},
		attribute{key: "routing.http.x_amzn_tls_version_and_cipher_suite.enabled", value: "false", allowed: booleans()},
		attribute{key: "routing.http.xff_client_port.enabled", value: "false", allowed: booleans()},
		attribute{key: forwardedForMode, value: "append", allowed: []string{"append", "preserve", "remove"}},
		attribute{key: "waf.fail_open.enabled", value: "false", allowed: booleans()},
	)
}

func groupAttributes(g *group) []attribute {
	if g.targetType == "lambda" {
		return []attribute{
			{key: "lambda.multi_value_headers.enabled", value: "false", allowed: booleans()},
			{key: minHealthyCount, value: "1", low: 1, high: 1000},
		}
	}
	if isNetwork(g.protocol) {
		return networkGroupAttributes(g)
	}
	return append(sharedGroupAttributes(),
		attribute{key: stickyEnabled, value: "false", allowed: booleans()},
		attribute{key: stickyType, value: cookieStickiness, allowed: []string{cookieStickiness, "app_cookie", sourceStickiness}},
		attribute{key: stickyDuration, value: "86400", low: 1, high: 604800},
		attribute{key: "stickiness.app_cookie.cookie_name"},
		attribute{key: "stickiness.app_cookie.duration_seconds", value: "86400", low: 1, high: 604800},
		attribute{key: "slow_start.duration_seconds", value: "0", low: 0, high: 900},
		attribute{key: "load_balancing.algorithm.type", value: "round_robin", allowed: []string{"round_robin", "least_outstanding_requests", "weighted_random"}},
		attribute{key: "load_balancing.algorithm.anomaly_mitigation", value: "off", allowed: []string{"on", "off"}},
	)
}

// sharedGroupAttributes returns the attributes of the target groups of all load balancers.
func sharedGroupAttributes() []attribute {
	return []attribute{
		{key: deregistrationDelay, value: "300", low: 0, high: 3600},
		{key: crossZone, value: "use_load_balancer_configuration", allowed: []string{"true", "false", "use_load_balancer_configuration"}},
		{key: "target_group_health.dns_failover.minimum_healthy_targets.count", value: "1"},
		{key: "target_group_health.dns_failover.minimum_healthy_targets.percentage", value: "off"},
		{key: minHealthyCount, value: "1", low: 1, high: 1000},
		{key: "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", value: "off"},
	}
}

func listenerAttributes(protocol string) []attribute {
	if protocol != "HTTP" && protocol != "HTTPS" {
		return []attribute{{key: idleTimeoutTCP, value: "350", low: 60, high: 6000}}
	}
	out := []attribute{{key: "routing.http.response.server.enabled", value: "true", allowed: booleans()}}
	for _, header := range []string{
		"strict_transport_security", "access_control_allow_origin", "access_control_allow_methods", "access_control_allow_headers",
		"access_control_allow_credentials", "access_control_expose_headers", "access_control_max_age", "content_security_policy",
		"x_content_type_options", "x_frame_options",
	} {
		out = append(out, attribute{key: "routing.http.response." + header + ".header_value"})
	}
	if protocol == "HTTP" {
		return out
	}
	for _, header := range []string{
		"x_amzn_mtls_clientcert_serial_number", "x_amzn_mtls_clientcert_issuer", "x_amzn_mtls_clientcert_subject",
		"x_amzn_mtls_clientcert_validity", "x_amzn_mtls_clientcert_leaf", "x_amzn_mtls_clientcert", "x_amzn_tls_version", "x_amzn_tls_cipher_suite",
	} {
		out = append(out, attribute{key: "routing.http.request." + header + ".header_name"})
	}
	return out
}

// showAttributes returns all known attributes with their values or defaults.
func showAttributes(known []attribute, set map[string]string) wire.List[attributeShape] {
	var out wire.List[attributeShape]
	for _, a := range known {
		value, ok := set[a.key]
		if !ok {
			value = a.value
		}
		out.Members = append(out.Members, attributeShape{Key: a.key, Value: value})
	}
	return out
}

// readAttributes validates the attributes of the call and stores them in set, which it returns.
func (c *call) readAttributes(known []attribute, set map[string]string) (map[string]string, error) {
	elements := c.Structs("Attributes")
	if len(elements) == 0 {
		return nil, wire.ValidationError("Attributes must be specified")
	}
	seen := map[string]bool{}
	for _, e := range elements {
		key, value := e.Text("Key"), e.Text("Value")
		at := slices.IndexFunc(known, func(a attribute) bool { return a.key == key })
		if at < 0 {
			return nil, wire.BadRequest("InvalidConfigurationRequest", "Attribute key '%s' is not recognized", key)
		}
		if seen[key] {
			return nil, wire.BadRequest("InvalidConfigurationRequest", "Attribute key '%s' is specified more than once", key)
		}
		seen[key] = true
		if err := known[at].check(value); err != nil {
			return nil, err
		}
		set[key] = value
	}
	return set, nil
}

func (a attribute) check(value string) error {
	if len(a.allowed) > 0 && !slices.Contains(a.allowed, value) {
		return wire.BadRequest("InvalidConfigurationRequest", "'%s' must be one of '%s': '%s' is not valid", a.key, strings.Join(a.allowed, ", "), value)
	}
	if a.low == a.high {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < a.low || n > a.high {
		return wire.BadRequest("InvalidConfigurationRequest", "'%s' must be between '%d' and '%d', inclusive: '%s' is not valid", a.key, a.low, a.high, value)
	}
	return nil
}

// attributeNumber returns the value or default of an integer attribute, 0 if it is not known.
func attributeNumber(known []attribute, set map[string]string, key string) int {
	for _, a := range showAttributes(known, set).Members {
		if a.Key == key {
			n, err := strconv.Atoi(a.Value)
			if err == nil {
				return n
			}
		}
	}
	return 0
}
