package dataplane

import "sync/atomic"

// zonal is what a group has in one zone.
type zonal struct {
	targets []*liveTarget // the targets that get connections
	healthy bool          // whether at least one of them is healthy
}

// byZone divides the targets of a group by zone, nil where connections cross zones. A target without a zone of its own is
// in all of them. The caller holds the group's lock.
func (g *liveGroup) byZone(usable []*liveTarget) map[string]zonal {
	if !g.config.Zonal {
		return nil
	}
	out := map[string]zonal{}
	for zone := range g.config.Zones {
		var inZone, healthy []*liveTarget
		for _, t := range usable {
			if own := t.record.Zone; own != "" && own != "all" && own != zone {
				continue
			}
			inZone = append(inZone, t)
			if t.state == stateHealthy || t.state == stateUnavailable {
				healthy = append(healthy, t)
			}
		}
		here := zonal{targets: healthy, healthy: len(healthy) > 0}
		if len(healthy) < g.config.MinHealthy {
			here.targets = inZone
		}
		out[zone] = here
	}
	return out
}

// pickIn returns the target for a connection that arrives in a zone, the next in turn; nil if there is none.
func (g *liveGroup) pickIn(zone string) *liveTarget {
	s := g.serving.Load()
	targets := s.targets
	if s.zones != nil {
		targets = s.zones[zone].targets
	}
	if len(targets) == 0 {
		return nil
	}
	return targets[(g.turn.Add(1)-1)%uint64(len(targets))]
}

// servesIn reports whether the group has a healthy target for connections in a zone.
func (g *liveGroup) servesIn(zone string) bool {
	s := g.serving.Load()
	return s.zones == nil || s.zones[zone].healthy
}

// arrivals distributes new connections among the zones of a network load balancer, as clients do that resolve its name.
type arrivals struct{ turn atomic.Uint64 }

// next returns the zone in which the next connection arrives. As in the DNS of a real load balancer, a zone in which a
// group of the action has no healthy target is left out, unless that leaves none.
func (a *arrivals) next(zones []string, f *forwarder) string {
	var listed []string
	for _, zone := range zones {
		if f.servesIn(zone) {
			listed = append(listed, zone)
		}
	}
	if len(listed) == 0 {
		listed = zones
	}
	if len(listed) == 0 {
		return ""
	}
	return listed[(a.turn.Add(1)-1)%uint64(len(listed))]
}

// servesIn reports whether every group of the action that gets connections has a healthy target in a zone.
func (f *forwarder) servesIn(zone string) bool {
	for i, g := range f.groups {
		if f.chooser.weights[i] > 0 && !g.servesIn(zone) {
			return false
		}
	}
	return true
}
