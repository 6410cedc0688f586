package nameserver_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// source is what a test publishes.
type source struct {
	mu        sync.Mutex
	zones     map[string]*nameserver.Zone
	failing   map[string]bool // health checks
	balancers map[string]nameserver.Balancer
}

func (s *source) Zones() map[string]*nameserver.Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.zones
}

func (s *source) Healthy(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failing[id]
}

func (s *source) Balancer(name string) (nameserver.Balancer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.balancers[name]
	return b, ok
}

// bench is a running server with a source.
type bench struct {
	t *testing.T
	*source
	*nameserver.Server
}

func newBench(t *testing.T, exact bool) *bench {
	t.Helper()
	s := &source{failing: map[string]bool{}, balancers: map[string]nameserver.Balancer{}}
	srv, err := nameserver.Start(nameserver.Options{
		Log: slog.New(slog.DiscardHandler), Source: s, Address: "127.0.0.1:0", Exact: exact, BalancerDomain: "elb.localhost",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{t, s, srv}
}

// publish replaces the published zones.
func (b *bench) publish(zones ...*nameserver.Zone) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.zones = map[string]*nameserver.Zone{}
	for _, z := range zones {
		b.zones[z.Name()] = z
	}
}

// sets are the record sets of a zone.
type sets map[nameserver.Key][]nameserver.Set

func (s sets) add(set nameserver.Set, records ...string) sets {
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			panic(err)
		}
		set.Records = append(set.Records, rr)
	}
	at := nameserver.Key{Name: set.Records[0].Header().Name, Type: set.Records[0].Header().Rrtype}
	s[at] = append(s[at], set)
	return s
}

// alias adds an alias record set of type A.
func (s sets) alias(name string, set nameserver.Set) {
	at := nameserver.Key{Name: name, Type: dns.TypeA}
	s[at] = append(s[at], set)
}

func (s sets) zone(name string) *nameserver.Zone {
	s.add(nameserver.Set{}, name+" 900 IN SOA ns."+name+" hostmaster."+name+" 1 7200 900 1209600 60")
	s.add(nameserver.Set{}, name+" 172800 IN NS ns."+name)
	return nameserver.NewZone("Z"+name, name, s)
}

func (b *bench) ask(network, name string, kind uint16) *dns.Msg {
	b.t.Helper()
	query := new(dns.Msg).SetQuestion(name, kind)
	client := &dns.Client{Net: network, Timeout: slow.Deadline(10 * time.Second)}
	reply, _, err := client.Exchange(query, b.Address())
	if err != nil {
		b.t.Fatal(err)
	}
	return reply
}

// answer returns the answer to a query on a line, without tabs.
func (b *bench) answer(name string, kind uint16) string {
	b.t.Helper()
	return show(b.ask("udp", name, kind))
}

func show(m *dns.Msg) string {
	text := dns.RcodeToString[m.Rcode]
	if m.Authoritative {
		text += " aa"
	}
	for _, rr := range m.Answer {
		text += " | " + strings.ReplaceAll(rr.String(), "\t", " ")
	}
	for _, rr := range m.Ns {
		text += " | authority " + strings.ReplaceAll(rr.String(), "\t", " ")
	}
	return text
}

func TestServer_answers(t *testing.T) {
	b := newBench(t, true)
	b.balancers["app.elb.localhost."] = nameserver.Balancer{Address: netip.MustParseAddr("127.0.0.7"), Healthy: true}
	zone := sets{}
	zone.add(nameserver.Set{}, "www.example.com. 30 IN A 192.0.2.1", "www.example.com. 30 IN A 192.0.2.2")
	zone.add(nameserver.Set{}, "www.example.com. 30 IN AAAA 2001:db8::1")
	zone.add(nameserver.Set{}, "name.example.com. 20 IN CNAME www.example.com.")
	zone.add(nameserver.Set{}, "out.example.com. 20 IN CNAME www.example.net.")
	zone.add(nameserver.Set{}, "loop.example.com. 20 IN CNAME loop.example.com.")
	zone.add(nameserver.Set{}, "elb.example.com. 20 IN CNAME app.elb.localhost.")
	zone.add(nameserver.Set{}, "*.wild.example.com. 10 IN A 192.0.2.9")
	zone.add(nameserver.Set{}, "x.y.example.com. 10 IN TXT \"a\"")
	zone.add(nameserver.Set{}, "sub.example.com. 10 IN NS ns.example.net.")
	zone.alias("alias.example.com.", nameserver.Set{Alias: &nameserver.Alias{Name: "www.example.com."}})
	zone.alias("example.com.", nameserver.Set{Alias: &nameserver.Alias{Name: "app.elb.localhost.", Balancer: true}})
	zone.alias("gone.example.com.", nameserver.Set{Alias: &nameserver.Alias{Name: "gone.elb.localhost.", Balancer: true}})
	b.publish(zone.zone("example.com."), sets{}.add(nameserver.Set{}, "a.b.example.com. 5 IN A 192.0.2.5").zone("b.example.com."))
	const soa = " | authority example.com. 60 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 60"
	const loop = " | loop.example.com. 20 IN CNAME loop.example.com."
	for _, tc := range []struct {
		name string
		kind uint16
		want string
	}{
		{"www.example.com.", dns.TypeA, "NOERROR aa | www.example.com. 30 IN A 192.0.2.1 | www.example.com. 30 IN A 192.0.2.2"},
		{"WWW.example.COM.", dns.TypeAAAA, "NOERROR aa | WWW.example.COM. 30 IN AAAA 2001:db8::1"},
		{"www.example.com.", dns.TypeMX, "NOERROR aa" + soa},
		{"y.example.com.", dns.TypeA, "NOERROR aa" + soa}, // there are names below it
		{"nothing.example.com.", dns.TypeA, "NXDOMAIN aa" + soa},
		{"name.example.com.", dns.TypeA, "NOERROR aa | name.example.com. 20 IN CNAME www.example.com. | www.example.com. 30 IN A 192.0.2.1 | www.example.com. 30 IN A 192.0.2.2"},
		{"name.example.com.", dns.TypeCNAME, "NOERROR aa | name.example.com. 20 IN CNAME www.example.com."},
		{"out.example.com.", dns.TypeA, "NOERROR aa | out.example.com. 20 IN CNAME www.example.net."},
		{"loop.example.com.", dns.TypeA, "NOERROR aa" + strings.Repeat(loop, 8)},
		{"elb.example.com.", dns.TypeA, "NOERROR aa | elb.example.com. 20 IN CNAME app.elb.localhost. | app.elb.localhost. 60 IN A 127.0.0.7"},
		{"any.wild.example.com.", dns.TypeA, "NOERROR aa | any.wild.example.com. 10 IN A 192.0.2.9"},
		{"wild.example.com.", dns.TypeA, "NOERROR aa" + soa},
		{"alias.example.com.", dns.TypeA, "NOERROR aa | alias.example.com. 30 IN A 192.0.2.1 | alias.example.com. 30 IN A 192.0.2.2"},
		{"example.com.", dns.TypeA, "NOERROR aa | example.com. 60 IN A 127.0.0.7"},
		{"gone.example.com.", dns.TypeA, "NOERROR aa" + soa},
		{"example.com.", dns.TypeNS, "NOERROR aa | example.com. 172800 IN NS ns.example.com."},
		{"host.sub.example.com.", dns.TypeA, "NOERROR | authority sub.example.com. 10 IN NS ns.example.net."},
		{"a.b.example.com.", dns.TypeA, "NOERROR aa | a.b.example.com. 5 IN A 192.0.2.5"},
		{"app.elb.localhost.", dns.TypeA, "NOERROR aa | app.elb.localhost. 60 IN A 127.0.0.7"},
		{"app.elb.localhost.", dns.TypeAAAA, "NOERROR aa | authority elb.localhost. 60 IN SOA ns.elb.localhost. hostmaster.elb.localhost. 1 7200 900 1209600 60"},
		{"gone.elb.localhost.", dns.TypeA, "NXDOMAIN aa | authority elb.localhost. 60 IN SOA ns.elb.localhost. hostmaster.elb.localhost. 1 7200 900 1209600 60"},
		{"example.net.", dns.TypeA, "REFUSED"},
	} {
		if got := b.answer(tc.name, tc.kind); got != tc.want {
			t.Errorf("%s %s: got\n  %s, want\n  %s", tc.name, dns.TypeToString[tc.kind], got, tc.want)
		}
	}
}

// A hundred addresses do not fit into 512 bytes: the answer over UDP says so, and that over TCP has all of them.
func TestServer_truncatesOverUDP(t *testing.T) {
	b := newBench(t, true)
	records := []string{}
	for i := range 100 {
		records = append(records, fmt.Sprintf("www.example.com. 30 IN A 192.0.2.%d", i))
	}
	b.publish(sets{}.add(nameserver.Set{}, records...).zone("example.com."))
	if got := b.ask("udp", "www.example.com.", dns.TypeA); !got.Truncated || len(got.Answer) >= 100 {
		t.Errorf("got %d records, truncated %t", len(got.Answer), got.Truncated)
	}
	if got := b.ask("tcp", "www.example.com.", dns.TypeA); got.Truncated || len(got.Answer) != 100 {
		t.Errorf("got %d records, truncated %t", len(got.Answer), got.Truncated)
	}
}

func TestServer_rejectsWhatIsNoQuery(t *testing.T) {
	b := newBench(t, true)
	for want, change := range map[int]func(*dns.Msg){
		dns.RcodeNotImplemented: func(m *dns.Msg) { m.Opcode = dns.OpcodeStatus },
		dns.RcodeRefused:        func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
	} {
		query := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA)
		change(query)
		client := &dns.Client{Timeout: slow.Deadline(10 * time.Second)}
		reply, _, err := client.Exchange(query, b.Address())
		if err != nil || reply.Rcode != want {
			t.Errorf("got %v, %v, want %s", reply, err, dns.RcodeToString[want])
		}
	}
}

// weights is a zone with a record set for each weight; its address ends in its index.
func weights(change func(i int, set *nameserver.Set), weights ...int) *nameserver.Zone {
	out := sets{}
	for i, w := range weights {
		set := nameserver.Set{ID: fmt.Sprint("s", i), Weight: w}
		if change != nil {
			change(i, &set)
		}
		out.add(set, fmt.Sprintf("www.example.com. 30 IN A 192.0.2.%d", i))
	}
	return out.zone("example.com.")
}

// shares asks n times and returns how often each record set answered.
func (b *bench) shares(n, sets int) []int {
	b.t.Helper()
	out := make([]int, sets)
	for range n {
		reply := b.ask("udp", "www.example.com.", dns.TypeA)
		a, ok := reply.Answer[0].(*dns.A)
		if !ok {
			b.t.Fatalf("got %v", reply)
		}
		out[a.A.To4()[3]]++
	}
	return out
}

func TestServer_choosesExactlyByWeight(t *testing.T) {
	unhealthy := func(indexes ...int) func(int, *nameserver.Set) {
		return func(i int, set *nameserver.Set) {
			set.HealthCheck = "passing"
			if slices.Contains(indexes, i) {
				set.HealthCheck = "failing"
			}
		}
	}
	for name, tc := range map[string]struct {
		weights []int
		change  func(int, *nameserver.Set)
		asked   int
		want    []int
	}{
		"weights":                             {[]int{95, 5, 0}, nil, 100, []int{95, 5, 0}},
		"all zero: equal shares":              {[]int{0, 0, 0}, nil, 9, []int{3, 3, 3}},
		"unhealthy: left out":                 {[]int{1, 2, 1}, unhealthy(1), 8, []int{4, 0, 4}},
		"only weight 0 is healthy: it serves": {[]int{1, 1, 0, 0}, unhealthy(0, 1), 8, []int{0, 0, 4, 4}},
		"weight 0 and healthy ones":           {[]int{1, 0}, unhealthy(1), 4, []int{4, 0}},
		"all are unhealthy: all count":        {[]int{3, 1, 0}, unhealthy(0, 1, 2), 8, []int{6, 2, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, true)
			b.failing["failing"] = true
			b.publish(weights(tc.change, tc.weights...))
			if got := b.shares(tc.asked, len(tc.weights)); !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestServer_countsAnswersAndFollowsWeights(t *testing.T) {
	b := newBench(t, true)
	b.publish(weights(nil, 1, 1))
	b.shares(4, 2)
	b.publish(weights(nil, 0, 1))
	b.shares(3, 2)
	if got := b.Answers("www.example.com", "a"); got["s0"] != 2 || got["s1"] != 5 {
		t.Errorf("got %v", got)
	}
}

// With 400 draws at one half, fewer than 100 of one have a chance below 1 in 10^21.
func TestServer_choosesAtRandom(t *testing.T) {
	b := newBench(t, false)
	b.publish(weights(nil, 1, 1, 0))
	if got := b.shares(400, 3); got[0] < 100 || got[1] < 100 || got[2] != 0 {
		t.Errorf("got %v", got)
	}
}

// An alias that evaluates the health of its target is left out while that is unhealthy.
func TestServer_evaluatesAliasTargets(t *testing.T) {
	b := newBench(t, true)
	b.balancers["a.elb.localhost."] = nameserver.Balancer{Address: netip.MustParseAddr("127.0.0.2"), Healthy: true}
	b.balancers["b.elb.localhost."] = nameserver.Balancer{Address: netip.MustParseAddr("127.0.0.3")}
	zone := sets{}
	alias := func(id, target string, balancer, evaluate bool) nameserver.Set {
		return nameserver.Set{ID: id, Weight: 1, Alias: &nameserver.Alias{Name: target, Balancer: balancer, EvaluateHealth: evaluate}}
	}
	zone.add(nameserver.Set{ID: "1", Weight: 1, HealthCheck: "failing"}, "failing.example.com. 30 IN A 192.0.2.1")
	zone.add(nameserver.Set{ID: "1", Weight: 1, HealthCheck: "failing"}, "half.example.com. 30 IN A 192.0.2.2")
	zone.add(nameserver.Set{ID: "2", Weight: 1}, "half.example.com. 30 IN A 192.0.2.3")
	zone.alias("elb.example.com.", alias("a", "a.elb.localhost.", true, true))
	zone.alias("elb.example.com.", alias("b", "b.elb.localhost.", true, true))
	zone.alias("not.example.com.", alias("a", "a.elb.localhost.", true, true))
	zone.alias("not.example.com.", alias("b", "b.elb.localhost.", true, false))
	zone.alias("records.example.com.", alias("a", "failing.example.com.", false, true))
	zone.alias("records.example.com.", alias("b", "half.example.com.", false, true))
	b.failing["failing"] = true
	b.publish(zone.zone("example.com."))
	for name, want := range map[string]string{
		"elb.example.com.": "127.0.0.2 127.0.0.2", "not.example.com.": "127.0.0.2 127.0.0.3", "records.example.com.": "192.0.2.3 192.0.2.3",
	} {
		got := []string{}
		for range 2 {
			reply := b.ask("udp", name, dns.TypeA)
			if a, ok := reply.Answer[0].(*dns.A); ok {
				got = append(got, a.A.String())
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
