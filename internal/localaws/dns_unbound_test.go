package localaws_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// unbound starts a caching resolver that asks the DNS server of the stand-in for its domains. It returns its address.
func (b *dnsBench) unbound() string {
	b.t.Helper()
	r, err := rehearsal.StartCachingResolver(b.ctx(), b.t.TempDir(), b.srv.DNSAddr(), "example.com", "elb.localhost")
	if errors.Is(err, rehearsal.ErrNoResolver) {
		b.t.Skip(err.Error() + ": the test needs a real caching resolver")
	}
	b.must(err)
	b.t.Cleanup(func() {
		if output := r.Close(); b.t.Failed() {
			b.t.Logf("unbound: %s", output)
		}
	})
	b.until("unbound", func() bool {
		client := &dns.Client{Net: "tcp", Timeout: slow.Deadline(5 * time.Second)}
		reply, _, err := client.Exchange(new(dns.Msg).SetQuestion("example.com.", dns.TypeSOA), r.Address)
		return err == nil && reply.Rcode == dns.RcodeSuccess
	})
	return r.Address
}

// A resolver answers from its cache until the TTL is over, whatever the weights are by then, and loses no answer.
func TestUnbound_keepsAnswersForTheirTTL(t *testing.T) {
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(), localaws.WithRecordPropagation(0))
	resolver := b.unbound()
	ttl := slow.Deadline(2 * time.Second).Truncate(time.Second)
	set := func(id string, weight int64, value string) types.ResourceRecordSet {
		r := weighted("www.example.com", id, weight, value)
		r.TTL = aws.Int64(int64(ttl / time.Second))
		return r
	}
	b.synced(create(set("blue", 1, "192.0.2.1")), create(set("green", 0, "192.0.2.2")))
	began := time.Now()
	first, left := resolve(t, resolver, "www.example.com")
	if first != "192.0.2.1" || left != uint32(ttl/time.Second) {
		t.Errorf("got %s for %d s", first, left)
	}
	b.synced(upsert(set("blue", 0, "192.0.2.1")), upsert(set("green", 1, "192.0.2.2")))
	// The cache counts in whole seconds, so an answer lasts for up to a second less.
	cached := 0
	b.until("the answer with the new weights", func() bool {
		got, left := resolve(t, resolver, "www.example.com")
		if left > uint32(ttl/time.Second) {
			t.Errorf("got a TTL of %d s", left)
		}
		early := time.Since(began) < ttl-time.Second
		switch {
		case got == "192.0.2.1":
			cached++
		case got != "192.0.2.2":
			t.Errorf("got %s", got)
		case early:
			t.Errorf("got the new answer after %s, with a TTL of %s", time.Since(began), ttl)
		}
		return got == "192.0.2.2" || t.Failed()
	})
	if cached == 0 {
		t.Error("the resolver did not answer from its cache")
	}
}

// CNAME records that refer to load balancers are resolved to their addresses.
func TestUnbound_resolvesLoadBalancers(t *testing.T) {
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithRecordPropagation(0))
	resolver := b.unbound()
	name, zone := b.balancerName(b.balancer("app"))
	b.synced(create(simple("name.example.com", types.RRTypeCname, name)), create(alias(simple("alias.example.com", types.RRTypeA), zone, name)))
	for _, asked := range []string{"name.example.com", "alias.example.com", name} {
		if got, _ := resolve(t, resolver, asked); got != "127.0.0.1" {
			t.Errorf("%s: got %s", asked, got)
		}
	}
	if got, _ := resolve(t, resolver, "nothing.example.com"); got != "NXDOMAIN" {
		t.Errorf("got %s", got)
	}
}
