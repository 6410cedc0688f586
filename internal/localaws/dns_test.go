package localaws_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// resolve asks a DNS server for the addresses of a name, and returns them with the TTL of the first.
func resolve(t *testing.T, server, name string) (addresses string, ttl uint32) {
	t.Helper()
	client := &dns.Client{Timeout: slow.Deadline(10 * time.Second)}
	reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), server)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Rcode != dns.RcodeSuccess {
		return dns.RcodeToString[reply.Rcode], 0
	}
	out := []string{}
	for _, rr := range reply.Answer {
		if a, ok := rr.(*dns.A); ok {
			out = append(out, a.A.String())
			ttl = a.Hdr.Ttl
		}
	}
	return strings.Join(out, " "), ttl
}

func (b *dnsBench) resolve(name string) string {
	b.t.Helper()
	addresses, _ := resolve(b.t, b.srv.DNSAddr(), name)
	return addresses
}

func TestDNS_answersWithTheEarlierRecordsUntilInsync(t *testing.T) {
	clock := newClock()
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(), localaws.WithRecordPropagation(30*time.Second), localaws.WithNow(clock.read))
	if got := b.resolve("www.example.com"); got != "REFUSED" {
		t.Errorf("a zone that is PENDING is served: %s", got)
	}
	clock.advance(30 * time.Second)
	if got := b.resolve("www.example.com"); got != "NXDOMAIN" {
		t.Errorf("got %s", got)
	}
	b.change(create(weighted("www.example.com", "blue", 1, "192.0.2.1")), create(weighted("www.example.com", "green", 0, "192.0.2.2")))
	if got := b.resolve("www.example.com"); got != "NXDOMAIN" {
		t.Errorf("got %s", got)
	}
	clock.advance(30 * time.Second)
	if got := b.resolve("www.example.com"); got != "192.0.2.1" {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.LateSync, Delay: time.Minute, Times: 1})
	id := b.change(upsert(weighted("www.example.com", "blue", 0, "192.0.2.1")), upsert(weighted("www.example.com", "green", 1, "192.0.2.2")))
	clock.advance(89 * time.Second)
	if got := b.resolve("www.example.com"); got != "192.0.2.1" || b.status(id) != types.ChangeStatusPending {
		t.Errorf("got %s, %s", got, b.status(id))
	}
	clock.advance(time.Second)
	if got := b.resolve("www.example.com"); got != "192.0.2.2" || b.status(id) != types.ChangeStatusInsync {
		t.Errorf("got %s, %s", got, b.status(id))
	}
	if got := b.srv.DNSAnswers("www.example.com", "A"); got["blue"] != 2 || got["green"] != 1 {
		t.Errorf("got %v", got)
	}
}

// A lost write is INSYNC, and its records are never served.
func TestDNS_lostWrite(t *testing.T) {
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithRecordPropagation(0))
	b.change(create(simple("www.example.com", types.RRTypeA, "192.0.2.1")))
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.LostWrite})
	b.synced(upsert(simple("www.example.com", types.RRTypeA, "192.0.2.2")))
	if got := b.resolve("www.example.com"); got != "192.0.2.1" {
		t.Errorf("got %s", got)
	}
}

func TestDNS_healthChecks(t *testing.T) {
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(), localaws.WithRecordPropagation(0))
	check, err := b.names.CreateHealthCheck(b.ctx(), &route53.CreateHealthCheckInput{
		CallerReference: aws.String("a"), HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)},
	})
	b.must(err)
	blue := weighted("www.example.com", "blue", 1, "192.0.2.1")
	blue.HealthCheckId = check.HealthCheck.Id
	b.change(create(blue), create(weighted("www.example.com", "green", 0, "192.0.2.2")))
	if got := b.resolve("www.example.com"); got != "192.0.2.1" {
		t.Errorf("got %s", got)
	}
	b.must(b.srv.Route53().SetHealth(*check.HealthCheck.Id, false))
	if got := b.resolve("www.example.com"); got != "192.0.2.2" {
		t.Errorf("got %s", got)
	}
}

// balancerName returns the DNS name of a load balancer and the zone of all load balancers.
func (b *dnsBench) balancerName(arn string) (name, zone string) {
	b.t.Helper()
	out, err := b.api.DescribeLoadBalancers(b.ctx(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: []string{arn}})
	b.must(err)
	return *out.LoadBalancers[0].DNSName, *out.LoadBalancers[0].CanonicalHostedZoneId
}

// Two load balancers on the same port, each behind an alias record: the requests follow the weights of the records. An
// empty target group that is attached, at weight 0 too, makes a load balancer unhealthy.
func TestDNS_aliasesOfLoadBalancers(t *testing.T) {
	if probe, err := net.Listen("tcp", "127.0.0.3:0"); err != nil {
		t.Skip("this system has no loopback address but 127.0.0.1:", err)
	} else {
		b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(), localaws.WithRecordPropagation(0), localaws.WithBalancerAddresses())
		b.must(probe.Close())
		aliasesOfLoadBalancers(b)
	}
}

func aliasesOfLoadBalancers(b *dnsBench) {
	sets, groups, listeners := map[string]types.ResourceRecordSet{}, map[string]string{}, map[string]string{}
	for id, weight := range map[string]int64{"blue": 3, "green": 1} {
		lb := b.balancer(id)
		groups[id] = b.group(id, web(b.t, id))
		listeners[id] = b.listener(lb, 80, forward(share{groups[id], 1}))
		name, zone := b.balancerName(lb)
		sets[id] = alias(weighted("www.example.com", id, weight, ""), zone, "dualstack."+strings.ToUpper(name))
		sets[id].AliasTarget.EvaluateTargetHealth = true
	}
	_, blue, _ := net.SplitHostPort(b.srv.ListenerAddr(listeners["blue"]))
	_, green, _ := net.SplitHostPort(b.srv.ListenerAddr(listeners["green"]))
	if blue != green || blue == "80" {
		b.t.Errorf("the listeners have the ports %s and %s", blue, green)
	}
	b.healthy(groups["blue"], groups["green"])
	b.change(create(sets["blue"]), create(sets["green"]))
	got := map[string]int{}
	for range 8 {
		got[b.fetch("www.example.com", blue)]++
	}
	if got["blue"] != 6 || got["green"] != 2 {
		b.t.Errorf("got %v", got)
	}
	if _, ttl := resolve(b.t, b.srv.DNSAddr(), "www.example.com"); ttl != 60 {
		b.t.Errorf("got a TTL of %d", ttl)
	}
	b.modify(listeners["blue"], forward(share{groups["blue"], 1}, share{b.group("idle"), 0}))
	for range 4 {
		if got := b.fetch("www.example.com", blue); got != "green" {
			b.t.Errorf("got %s while blue has an empty group", got)
		}
	}
}

// fetch sends a request to the address that a name has now, and returns the body.
func (b *dnsBench) fetch(name, port string) string {
	b.t.Helper()
	resp, err := http.Get("http://" + net.JoinHostPort(b.resolve(name), port))
	b.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	b.must(err)
	return string(body)
}

func TestDNS_notOnLoopback(t *testing.T) {
	if srv, err := localaws.Start(localaws.WithDNS("192.0.2.1:0")); err == nil {
		_ = srv.Close()
		t.Error("it listens elsewhere")
	}
}
