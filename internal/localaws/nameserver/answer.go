package nameserver

import (
	"net"
	"strings"

	"github.com/miekg/dns"
)

const (
	// balancerTTL is the TTL of the addresses of load balancers in seconds.
	balancerTTL = 60
	// maxHops is the number of aliases and CNAMEs that are followed.
	maxHops = 8
	// maxPayload is the largest UDP message, in bytes, that the server sends and accepts.
	maxPayload = 1232
)

// ServeDNS answers a query.
func (s *Server) ServeDNS(w dns.ResponseWriter, request *dns.Msg) {
	reply := s.reply(request)
	size := dns.MinMsgSize
	if option := request.IsEdns0(); option != nil {
		size = max(size, min(int(option.UDPSize()), maxPayload))
		reply.SetEdns0(maxPayload, false)
	}
	if _, tcp := w.RemoteAddr().(*net.TCPAddr); tcp {
		size = dns.MaxMsgSize
	}
	reply.Truncate(size)
	if err := w.WriteMsg(reply); err != nil {
		s.opts.Log.Debug("cannot answer a DNS query", "error", err)
	}
}

func (s *Server) reply(request *dns.Msg) *dns.Msg {
	reply := new(dns.Msg)
	switch {
	case request.Opcode != dns.OpcodeQuery:
		return reply.SetRcode(request, dns.RcodeNotImplemented)
	case len(request.Question) != 1:
		return reply.SetRcode(request, dns.RcodeFormatError)
	case request.Question[0].Qclass != dns.ClassINET:
		return reply.SetRcode(request, dns.RcodeRefused)
	}
	reply.SetReply(request)
	reply.Authoritative = true
	q := &query{Server: s, reply: reply, zones: s.opts.Source.Zones(), kind: request.Question[0].Qtype}
	q.answer(request.Question[0].Name)
	return reply
}

// query is a query that is being answered. All of it sees the same zones.
type query struct {
	*Server
	reply *dns.Msg
	zones map[string]*Zone
	kind  uint16
}

// answer answers for a name, and follows CNAMEs as long as this server has their targets.
func (q *query) answer(owner string) {
	for hop := range maxHops {
		name := dns.CanonicalName(owner)
		if q.answerBalancer(name, owner) {
			return
		}
		zone := q.zoneOf(name)
		if zone == nil {
			if hop == 0 {
				q.reply.Authoritative = false
				q.reply.Rcode = dns.RcodeRefused
			}
			return
		}
		if servers := zone.delegation(name); servers != nil {
			q.reply.Authoritative = hop > 0
			q.reply.Ns = servers
			return
		}
		target := q.answerFrom(zone, name, owner)
		if target == "" {
			return
		}
		owner = target
	}
}

// zoneOf returns the zone with a name, nil if there is none.
func (q *query) zoneOf(name string) *Zone {
	for at := name; at != ""; _, at, _ = strings.Cut(at, ".") {
		if zone := q.zones[at]; zone != nil {
			return zone
		}
	}
	return nil
}

// answerFrom answers for a name in a zone, with the owner name as it was asked for. It returns the target of a CNAME that
// is to be followed.
func (q *query) answerFrom(zone *Zone, name, owner string) (target string) {
	if records := q.records(zone, name, q.kind, maxHops); len(records) > 0 {
		q.add(owner, records)
		return ""
	}
	if records := q.records(zone, name, dns.TypeCNAME, maxHops); len(records) > 0 && q.kind != dns.TypeCNAME {
		q.add(owner, records)
		if cname, ok := records[0].(*dns.CNAME); ok {
			return cname.Target
		}
		return ""
	}
	q.reply.Ns = zone.soa()
	if !zone.exists(name) {
		q.reply.Rcode = dns.RcodeNameError
	}
	return ""
}

// add adds records under the name that was asked for.
func (q *query) add(owner string, records []dns.RR) {
	for _, rr := range records {
		rr = dns.Copy(rr)
		rr.Header().Name = owner
		q.reply.Answer = append(q.reply.Answer, rr)
	}
}

// records chooses one of the record sets with a name and a type, and returns its records or those of its alias target.
func (q *query) records(zone *Zone, name string, kind uint16, hops int) []dns.RR {
	at, sets := zone.at(name, kind)
	if len(sets) == 0 || hops == 0 {
		return nil
	}
	healthy := func(set Set) bool { return q.healthy(zone, kind, set, hops) }
	set := q.chooser.choose(cycleKey{zone.id, at}, candidates(sets, healthy))
	q.count(at, set.ID)
	switch {
	case set.Alias == nil:
		return set.Records
	case set.Alias.Balancer:
		return q.addresses(set.Alias.Name, kind)
	}
	return q.records(zone, set.Alias.Name, kind, hops-1)
}

// healthy reports whether a record set may answer: its health check passes, and the target of an alias that evaluates it
// is healthy. A target that is a name of the zone is healthy if one of its record sets is.
func (q *query) healthy(zone *Zone, kind uint16, set Set, hops int) bool {
	if set.HealthCheck != "" && !q.opts.Source.Healthy(set.HealthCheck) {
		return false
	}
	if set.Alias == nil || !set.Alias.EvaluateHealth || hops == 0 {
		return true
	}
	if set.Alias.Balancer {
		balancer, ok := q.opts.Source.Balancer(set.Alias.Name)
		return ok && balancer.Healthy
	}
	_, targets := zone.at(set.Alias.Name, kind)
	for _, target := range targets {
		if q.healthy(zone, kind, target, hops-1) {
			return true
		}
	}
	return false
}

// addresses returns the addresses of the load balancer with a name, none for a type that it has not.
func (q *query) addresses(name string, kind uint16) []dns.RR {
	balancer, ok := q.opts.Source.Balancer(name)
	if !ok || kind != dns.TypeA {
		return nil
	}
	return []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: balancerTTL}, A: balancer.Address.AsSlice()}}
}

// answerBalancer answers for a name in the domain of load balancers. It reports false for other names.
func (q *query) answerBalancer(name, owner string) bool {
	domain := q.opts.BalancerDomain
	if !dns.IsSubDomain(domain, name) {
		return false
	}
	if records := q.addresses(name, q.kind); len(records) > 0 {
		q.add(owner, records)
		return true
	}
	q.reply.Ns = []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: domain, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: balancerTTL},
		Ns:  "ns." + domain, Mbox: "hostmaster." + domain, Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: balancerTTL,
	}}
	if _, ok := q.opts.Source.Balancer(name); !ok && name != domain {
		q.reply.Rcode = dns.RcodeNameError
	}
	return true
}
