package nameserver

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Zone is a hosted zone as it is published. It never changes.
type Zone struct {
	id, name string
	sets     map[Key][]Set
	names    map[string]bool // those with records, and those with names below them
}

// NewZone returns a zone with an ID and a name, which is in lower case with a dot at the end. Several record sets with
// the same name and type are weighted. The record sets must not change afterwards.
func NewZone(id, name string, sets map[Key][]Set) *Zone {
	z := &Zone{id: id, name: name, sets: sets, names: map[string]bool{name: true}}
	for key := range sets {
		for at := key.Name; len(at) > len(name); _, at, _ = strings.Cut(at, ".") {
			z.names[at] = true
		}
	}
	return z
}

// ID returns the ID of the hosted zone.
func (z *Zone) ID() string { return z.id }

// Name returns the name of the zone.
func (z *Zone) Name() string { return z.name }

// at returns the record sets with a name and a type, those of a wildcard included.
func (z *Zone) at(name string, kind uint16) (Key, []Set) {
	key := Key{z.owner(name), kind}
	return key, z.sets[key]
}

// owner returns the name whose records a name has: itself, or the wildcard below the closest name that exists.
func (z *Zone) owner(name string) string {
	if z.names[name] {
		return name
	}
	for at := name; len(at) > len(z.name); {
		_, at, _ = strings.Cut(at, ".")
		if z.names[at] {
			return "*." + at
		}
	}
	return name
}

// exists reports whether a name has records of any type, or names below it.
func (z *Zone) exists(name string) bool { return z.names[z.owner(name)] }

// delegation returns the name servers of a part of the zone that other servers have, nil if this one has the name.
func (z *Zone) delegation(name string) []dns.RR {
	for at := name; len(at) > len(z.name); _, at, _ = strings.Cut(at, ".") {
		if sets := z.sets[Key{at, dns.TypeNS}]; len(sets) > 0 {
			return sets[0].Records
		}
	}
	return nil
}

// soa returns the SOA record for negative answers, with the time for which they may be cached.
func (z *Zone) soa() []dns.RR {
	sets := z.sets[Key{z.name, dns.TypeSOA}]
	if len(sets) == 0 || len(sets[0].Records) == 0 {
		return nil
	}
	out := dns.Copy(sets[0].Records[0])
	if soa, ok := out.(*dns.SOA); ok {
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	}
	return []dns.RR{out}
}

// Key is a name in lower case with a dot at the end, and a type.
type Key struct {
	Name string
	Type uint16
}

// Set is a record set. It has either records or an alias.
type Set struct {
	// ID is the set identifier, "" for a record set that is not weighted.
	ID string
	// Weight is from 0 to 255.
	Weight int
	// Records have the TTL of the set.
	Records []dns.RR
	// Alias is what an alias record set refers to.
	Alias *Alias
	// HealthCheck is the ID of a health check, "" for none.
	HealthCheck string
}

// Alias is the target of an alias record set: a load balancer, or a record set of the same zone and type.
type Alias struct {
	// Name is in lower case, with a dot at the end.
	Name string
	// Balancer says that the name is that of a load balancer.
	Balancer bool
	// EvaluateHealth leaves the record set out while its target is unhealthy.
	EvaluateHealth bool
}

// Balancer is a load balancer as DNS sees it.
type Balancer struct {
	Address netip.Addr
	// Healthy says whether its name may be answered with, for alias records that evaluate the health of their target.
	Healthy bool
}

// Source is what a Server answers from. Its methods may be called concurrently.
type Source interface {
	// Zones returns the published zones by name. Of two with the same name, it returns one.
	Zones() map[string]*Zone
	// Healthy returns the status of a health check. One that does not exist is healthy.
	Healthy(healthCheck string) bool
	// Balancer returns the load balancer with a DNS name, which is in lower case with a dot at the end.
	Balancer(name string) (Balancer, bool)
}
