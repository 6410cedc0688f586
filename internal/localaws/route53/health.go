package route53

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

// healthCheck is a health check. Its status is what SetHealth says: nothing is checked.
type healthCheck struct {
	id, reference string
	version       int
	config        healthConfig
	created       time.Time
}

type healthConfig struct {
	IPAddress                *string `xml:",omitempty"`
	Port                     *int    `xml:",omitempty"`
	Type                     string  `xml:",omitempty"`
	ResourcePath             *string `xml:",omitempty"`
	FullyQualifiedDomainName *string `xml:",omitempty"`
	SearchString             *string `xml:",omitempty"`
	RequestInterval          *int    `xml:",omitempty"`
	FailureThreshold         *int    `xml:",omitempty"`
	MeasureLatency           *bool   `xml:",omitempty"`
	Inverted                 *bool   `xml:",omitempty"`
	Disabled                 *bool   `xml:",omitempty"`
	HealthThreshold          *int    `xml:",omitempty"`
	ChildHealthChecks        childChecks
	EnableSNI                *bool `xml:",omitempty"`
	Regions                  regions
}

type healthShape struct {
	ID                 string `xml:"Id"`
	CallerReference    string
	HealthCheckConfig  healthConfig
	HealthCheckVersion int
}

type healthResult struct {
	HealthCheck healthShape
}

func (h *healthCheck) show() healthShape {
	return healthShape{ID: h.id, CallerReference: h.reference, HealthCheckConfig: h.config, HealthCheckVersion: h.version}
}

func noHealthCheck(id string) error {
	return notFound("NoSuchHealthCheck", "A health check with id %s does not exist.", id)
}

func (c *call) check(id string) (*healthCheck, error) {
	h := c.state.checks[id]
	if h == nil {
		return nil, noHealthCheck(id)
	}
	return h, nil
}

type createHealthCheckInput struct {
	CallerReference   string
	HealthCheckConfig healthConfig
}

func healthCheckTypes() []string {
	return []string{"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"}
}

func createHealthCheck(c *call, in createHealthCheckInput) (any, error) {
	if in.CallerReference == "" {
		return nil, violation("", "callerReference", "have length greater than or equal to 1")
	}
	config := in.HealthCheckConfig
	if !slices.Contains(healthCheckTypes(), config.Type) {
		return nil, invalidInput("localaws does not simulate health checks of type %s: it has %s", config.Type, strings.Join(healthCheckTypes(), ", "))
	}
	for _, h := range c.state.checks {
		if h.reference == in.CallerReference {
			return nil, &wire.Error{Status: 409, Code: "HealthCheckAlreadyExists", Message: "A health check with the specified caller reference already exists."}
		}
	}
	setDefault(&config.RequestInterval, 30)
	setDefault(&config.FailureThreshold, 3)
	setDefault(&config.Inverted, false)
	setDefault(&config.Disabled, false)
	setDefault(&config.MeasureLatency, false)
	setDefault(&config.EnableSNI, strings.HasPrefix(config.Type, "HTTPS"))
	h := &healthCheck{id: newUUID(), reference: in.CallerReference, version: 1, config: config, created: c.now}
	c.state.checks[h.id] = h
	return wire.Created{Location: "https://route53.amazonaws.com/2013-04-01/healthcheck/" + h.id, Result: healthResult{h.show()}}, nil
}

// setDefault sets what was not sent.
func setDefault[T any](at **T, value T) {
	if *at == nil {
		*at = &value
	}
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

type healthCheckID struct {
	HealthCheckID string `json:"HealthCheckId"`
}

func getHealthCheck(c *call, in healthCheckID) (any, error) {
	h, err := c.check(in.HealthCheckID)
	if err != nil {
		return nil, err
	}
	return healthResult{h.show()}, nil
}

type updateHealthCheckInput struct {
	HealthCheckID      string `json:"HealthCheckId"`
	HealthCheckVersion *int
	healthConfigChange
}

// healthConfigChange holds the settings of a health check that can change.
type healthConfigChange struct {
	IPAddress                *string
	Port                     *int
	ResourcePath             *string
	FullyQualifiedDomainName *string
	SearchString             *string
	FailureThreshold         *int
	Inverted                 *bool
	Disabled                 *bool
	EnableSNI                *bool
	Regions                  []string
}

func updateHealthCheck(c *call, in updateHealthCheckInput) (any, error) {
	h, err := c.check(in.HealthCheckID)
	if err != nil {
		return nil, err
	}
	if in.HealthCheckVersion != nil && *in.HealthCheckVersion != h.version {
		return nil, &wire.Error{Status: 409, Code: "HealthCheckVersionMismatch", Message: "The value of HealthCheckVersion in the request doesn't match the value of HealthCheckVersion in the health check."}
	}
	next := *h
	next.version++
	to, from := &next.config, in.healthConfigChange
	to.IPAddress, to.Port = cmp.Or(from.IPAddress, to.IPAddress), cmp.Or(from.Port, to.Port)
	to.ResourcePath, to.FullyQualifiedDomainName = cmp.Or(from.ResourcePath, to.ResourcePath), cmp.Or(from.FullyQualifiedDomainName, to.FullyQualifiedDomainName)
	to.SearchString, to.FailureThreshold = cmp.Or(from.SearchString, to.SearchString), cmp.Or(from.FailureThreshold, to.FailureThreshold)
	to.Inverted, to.Disabled, to.EnableSNI = cmp.Or(from.Inverted, to.Inverted), cmp.Or(from.Disabled, to.Disabled), cmp.Or(from.EnableSNI, to.EnableSNI)
	if len(from.Regions) > 0 {
		to.Regions = from.Regions
	}
	c.state.checks[h.id] = &next
	return healthResult{next.show()}, nil
}

// deleteHealthCheck deletes a health check, also one that record sets refer to: Route 53 does not prevent that.
func deleteHealthCheck(c *call, in healthCheckID) (any, error) {
	h, err := c.check(in.HealthCheckID)
	if err != nil {
		return nil, err
	}
	delete(c.state.checks, h.id)
	delete(c.state.tags, tagged{"healthcheck", h.id})
	return struct{}{}, nil
}

type healthChecksResult struct {
	HealthChecks struct {
		Members []healthShape `xml:"HealthCheck"`
	}
	Marker      string
	IsTruncated bool
	NextMarker  string `xml:",omitempty"`
	MaxItems    int    `xml:",omitempty"`
}

func listHealthChecks(c *call, in markerInput) (any, error) {
	limit, err := maxItems(in.MaxItems, maxZones)
	if err != nil {
		return nil, err
	}
	out := healthChecksResult{Marker: in.Marker, MaxItems: limit}
	for _, id := range slices.Sorted(maps.Keys(c.state.checks)) {
		if id < in.Marker {
			continue
		}
		if len(out.HealthChecks.Members) == limit {
			out.IsTruncated, out.NextMarker = true, id
			break
		}
		out.HealthChecks.Members = append(out.HealthChecks.Members, c.state.checks[id].show())
	}
	return out, nil
}

// checkers are the health checkers of Route 53 as a status shows them, two for each region.
func checkers() []observation {
	var out []observation
	for i, region := range []string{"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1"} {
		for n := range 2 {
			out = append(out, observation{Region: region, IPAddress: fmt.Sprintf("192.0.2.%d", 10*(i+1)+n)})
		}
	}
	return out
}

type observation struct {
	Region       string
	IPAddress    string
	StatusReport statusReport
}

type statusReport struct {
	Status      string
	CheckedTime string
}

type healthStatusResult struct {
	HealthCheckObservations struct {
		Members []observation `xml:"HealthCheckObservation"`
	}
}

func getHealthCheckStatus(c *call, in healthCheckID) (any, error) {
	h, err := c.check(in.HealthCheckID)
	if err != nil {
		return nil, err
	}
	report := statusReport{Status: "Success: HTTP Status Code 200, OK", CheckedTime: c.now.UTC().Format("2006-01-02T15:04:05.000Z")}
	if c.failing[h.id] {
		report.Status = "Failure: HTTP Status Code 503, Service Unavailable"
	}
	var out healthStatusResult
	for _, o := range checkers() {
		o.StatusReport = report
		out.HealthCheckObservations.Members = append(out.HealthCheckObservations.Members, o)
	}
	return out, nil
}

// SetHealth sets what the checkers of a health check find from now on. It returns an error for an unknown one.
func (s *Service) SetHealth(id string, healthy bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.checks[id] == nil {
		return noHealthCheck(id)
	}
	s.failing[id] = !healthy
	return nil
}

// Healthy returns the status of a health check: that of its checkers, inverted if it says so. A disabled one is healthy,
// and so is one that does not exist.
func (s *Service) Healthy(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.state.checks[id]
	if h == nil || (h.config.Disabled != nil && *h.config.Disabled) {
		return true
	}
	inverted := h.config.Inverted != nil && *h.config.Inverted
	return s.failing[id] == inverted
}
