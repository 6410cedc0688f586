package nameserver

import (
	"net/netip"

	"github.com/miekg/dns"
)

// Zone is a hosted zone as it is published. It and all that it refers to must not change afterwards.
type Zone struct {
	// ID is the ID of the hosted zone.
	ID string
	// Name is the name of the zone in lower case, with a dot at the end.
	Name string
	// Sets are the record sets by name and type. More than one with the same name and type are weighted.
	Sets map[Key][]Set
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
