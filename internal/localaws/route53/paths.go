package route53

import (
	"net/http"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// path is the request of an action. A part of the pattern in braces is a parameter, and query has the parameters of the
// API by their names in the URL.
type path struct {
	method, pattern, action string
	query                   map[string]string
}

func paths() []path {
	marker := map[string]string{"marker": "Marker", "maxitems": "MaxItems"}
	return []path{
		{"POST", "hostedzone/{HostedZoneId}/rrset", "ChangeResourceRecordSets", nil},
		{"GET", "hostedzone/{HostedZoneId}/rrset", "ListResourceRecordSets", map[string]string{
			"name": "StartRecordName", "type": "StartRecordType", "identifier": "StartRecordIdentifier", "maxitems": "MaxItems",
		}},
		{"GET", "change/{Id}", "GetChange", nil},
		{"POST", "hostedzone", "CreateHostedZone", nil},
		{"GET", "hostedzone/{Id}", "GetHostedZone", nil},
		{"POST", "hostedzone/{Id}", "UpdateHostedZoneComment", nil},
		{"DELETE", "hostedzone/{Id}", "DeleteHostedZone", nil},
		{"GET", "hostedzone", "ListHostedZones", marker},
		{"GET", "hostedzonesbyname", "ListHostedZonesByName", map[string]string{
			"dnsname": "DNSName", "hostedzoneid": "HostedZoneId", "maxitems": "MaxItems",
		}},
		{"GET", "hostedzone/{HostedZoneId}/dnssec", "GetDNSSEC", nil},
		{"POST", "healthcheck", "CreateHealthCheck", nil},
		{"GET", "healthcheck", "ListHealthChecks", marker},
		{"GET", "healthcheck/{HealthCheckId}", "GetHealthCheck", nil},
		{"POST", "healthcheck/{HealthCheckId}", "UpdateHealthCheck", nil},
		{"DELETE", "healthcheck/{HealthCheckId}", "DeleteHealthCheck", nil},
		{"GET", "healthcheck/{HealthCheckId}/status", "GetHealthCheckStatus", nil},
		{"POST", "tags/{ResourceType}/{ResourceId}", "ChangeTagsForResource", nil},
		{"GET", "tags/{ResourceType}/{ResourceId}", "ListTagsForResource", nil},
	}
}

// isList says which elements of requests contain lists.
func isList(element string) bool {
	return slices.Contains([]string{"Changes", "ResourceRecords", "AddTags", "RemoveTagKeys", "Regions", "ChildHealthChecks", "ResettableElements"}, element)
}

// ActionOf returns the action of a request with the given path behind the version of the API, and the parameters in
// its path and query. An action that is not simulated is the method and the path.
func ActionOf(r *http.Request, at string) (action string, params map[string]any) {
	for _, p := range paths() {
		params, ok := p.match(r.Method, at)
		if !ok {
			continue
		}
		for name, member := range p.query {
			if value := r.URL.Query().Get(name); value != "" {
				params[member] = value
			}
		}
		return p.action, params
	}
	return r.Method + " " + at, nil
}

func (p path) match(method, at string) (map[string]any, bool) {
	want, got := strings.Split(p.pattern, "/"), strings.Split(at, "/")
	if method != p.method || len(want) != len(got) {
		return nil, false
	}
	params := map[string]any{}
	for i, part := range want {
		name, isParam := strings.CutPrefix(part, "{")
		switch {
		case isParam:
			params[strings.TrimSuffix(name, "}")] = got[i]
		case part != got[i]:
			return nil, false
		}
	}
	return params, true
}

// Decode adds the parameters in the body of a request to those of its path and query.
func Decode(params map[string]any, body []byte) (map[string]any, error) {
	document, err := wire.DecodeXML(body, isList)
	if err != nil {
		return params, invalidInput("Invalid XML ; %v", err)
	}
	for name, value := range params {
		document[name] = value
	}
	return document, nil
}
