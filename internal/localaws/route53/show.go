package route53

// Weights returns the weights of the record sets with a name and a type as the API has them, by set identifier, even
// while a fault makes calls fail or show older ones. It returns nil for a zone that does not exist.
func (s *Service) Weights(zoneID, name, kind string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := s.state.zones[zoneID]
	if z == nil {
		return nil
	}
	out := map[string]int{}
	for key, r := range z.records {
		if key.name == normalize(name) && key.kind == kind && r.Weight != nil {
			out[key.id] = *r.Weight
		}
	}
	return out
}

// ZoneStatus is a hosted zone in the form of the management port.
type ZoneStatus struct {
	Name    string         `json:"name"`
	Pending int            `json:"pending"` // changes that are not INSYNC
	Records []RecordStatus `json:"records"`
}

// RecordStatus is a record set in the form of the management port.
type RecordStatus struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	ID          string   `json:"set_identifier,omitempty"`
	Weight      *int     `json:"weight,omitempty"`
	Policy      string   `json:"policy,omitempty"` // unless it is simple or weighted
	TTL         *int     `json:"ttl,omitempty"`
	Values      []string `json:"values,omitempty"`
	Alias       string   `json:"alias,omitempty"`
	HealthCheck string   `json:"health_check,omitempty"`
}

// Status returns all hosted zones by ID.
func (s *Service) Status() map[string]ZoneStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(s.opts.Now())
	out := map[string]ZoneStatus{}
	for id, z := range s.state.zones {
		shown := ZoneStatus{Name: z.name, Pending: len(s.queues[id])}
		for _, key := range z.sortedKeys() {
			r := z.records[key]
			line := RecordStatus{Name: r.Name, Type: r.Type, ID: key.id, Weight: r.Weight, TTL: r.TTL, Values: r.values(), HealthCheck: r.HealthCheckID}
			if r.Weight == nil && r.SetIdentifier != nil {
				line.Policy = r.policy()
			}
			if r.AliasTarget != nil {
				line.Alias = r.AliasTarget.DNSName
			}
			shown.Records = append(shown.Records, line)
		}
		out[id] = shown
	}
	return out
}
