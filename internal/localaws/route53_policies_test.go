package localaws_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// The other routing policies are stored and listed as they were written, and deleted where all values match.
func TestRoute53_policies(t *testing.T) {
	b := newDNSBench(t)
	sets := []types.ResourceRecordSet{
		policied("latency.example.com", "eu", "192.0.2.1", latency(types.ResourceRecordSetRegionEuWest1)),
		policied("latency.example.com", "us", "192.0.2.2", latency(types.ResourceRecordSetRegionUsEast1)),
		policied("geo.example.com", "all", "192.0.2.1", country("*")),
		policied("geo.example.com", "europe", "192.0.2.2", continent("EU")),
		policied("geo.example.com", "france", "192.0.2.3", country("FR")),
		policied("failover.example.com", "second", "192.0.2.2", failover(types.ResourceRecordSetFailoverSecondary)),
		policied("many.example.com", "one", "192.0.2.1", multivalue),
		policied("many.example.com", "two", "192.0.2.2", multivalue),
	}
	for _, r := range sets {
		b.synced(create(r))
	}
	golden.Record(t, b.records(3))
	other := policied("latency.example.com", "eu", "192.0.2.1", latency(types.ResourceRecordSetRegionEuWest2))
	if _, err := b.tryChange(b.ctx(), remove(other)); err == nil {
		t.Error("a DELETE of another region was accepted")
	} else {
		golden.Record(t, answer(t, err))
	}
	for _, r := range sets {
		b.change(remove(r))
	}
	if rest := b.records(300); rest != "" {
		t.Errorf("what is left:\n%s", rest)
	}
}

// The golden file has the answer to each batch.
func TestRoute53_policyRefusals(t *testing.T) {
	b := newDNSBench(t)
	const name = "www.example.com"
	eu, de := latency(types.ResourceRecordSetRegionEuWest1), country("DE")
	b.change(
		create(policied("latency.example.com", "eu", "192.0.2.1", eu)),
		create(policied("geo.example.com", "de", "192.0.2.1", de)),
		create(policied("failover.example.com", "second", "192.0.2.1", failover(types.ResourceRecordSetFailoverSecondary))),
		create(policied("many.example.com", "one", "192.0.2.1", multivalue)),
		create(weighted("weighted.example.com", "blue", 1, "192.0.2.1")),
		create(simple("simple.example.com", types.RRTypeA, "192.0.2.1")),
	)
	before := b.records(300)
	for _, tc := range []struct {
		name string
		set  types.ResourceRecordSet
	}{
		{"latency beside weighted", policied("weighted.example.com", "eu", "192.0.2.2", eu)},
		{"latency beside simple", policied("simple.example.com", "eu", "192.0.2.2", eu)},
		{"weighted beside latency", weighted("latency.example.com", "blue", 1, "192.0.2.2")},
		{"weighted beside geolocation", weighted("geo.example.com", "blue", 1, "192.0.2.2")},
		{"weighted beside failover", weighted("failover.example.com", "blue", 1, "192.0.2.2")},
		{"weighted beside multivalue", weighted("many.example.com", "blue", 1, "192.0.2.2")},
		{"simple beside latency", simple("latency.example.com", types.RRTypeA, "192.0.2.2")},
		{"the same region", policied("latency.example.com", "eu-2", "192.0.2.2", eu)},
		{"the same location", policied("geo.example.com", "de-2", "192.0.2.2", de)},
		{"the same failover type", policied("failover.example.com", "second-2", "192.0.2.2", failover(types.ResourceRecordSetFailoverSecondary))},
		{"primary without health check", policied("failover.example.com", "first", "192.0.2.2", failover(types.ResourceRecordSetFailoverPrimary))},
		{"multivalue alias", alias(policied("many.example.com", "two", "192.0.2.2", multivalue), b.zone, "simple.example.com")},
		{"no such region", policied(name, "eu", "192.0.2.1", latency("europe"))},
		{"no such failover type", policied(name, "eu", "192.0.2.1", failover("THIRD"))},
		{"no such continent", policied(name, "eu", "192.0.2.1", continent("XX"))},
		{"no such country", policied(name, "eu", "192.0.2.1", country("DEU"))},
		{"no location", policied(name, "eu", "192.0.2.1", func(r *types.ResourceRecordSet) {
			r.GeoLocation = &types.GeoLocation{SubdivisionCode: aws.String("CA")}
		})},
		{"continent and country", policied(name, "eu", "192.0.2.1", func(r *types.ResourceRecordSet) {
			r.GeoLocation = &types.GeoLocation{ContinentCode: aws.String("EU"), CountryCode: aws.String("DE")}
		})},
		{"latency without set identifier", func() types.ResourceRecordSet {
			r := policied(name, "", "192.0.2.1", eu)
			r.SetIdentifier = nil
			return r
		}()},
		{"multivalue false", policied(name, "eu", "192.0.2.1", func(r *types.ResourceRecordSet) { r.MultiValueAnswer = aws.Bool(false) })},
	} {
		_, err := b.tryChange(b.ctx(), upsert(tc.set))
		if err == nil {
			t.Errorf("%s: no error", tc.name)
			continue
		}
		golden.Record(t, tc.name+"\n  "+answer(t, err))
	}
	if after := b.records(300); after != before {
		t.Errorf("rejected batches changed the zone:\n%s", after)
	}
}

// DNS answers with every record set of a policy that does not know the client, and with the secondary of a failover only while
// the primary is unhealthy.
func TestDNS_policies(t *testing.T) {
	b := newDNSBench(t, localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS())
	check, err := b.names.CreateHealthCheck(b.ctx(), &route53.CreateHealthCheckInput{CallerReference: aws.String("first"),
		HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)}})
	b.must(err)
	first := policied("failover.example.com", "first", "192.0.2.1", failover(types.ResourceRecordSetFailoverPrimary))
	first.HealthCheckId = check.HealthCheck.Id
	b.synced(
		create(policied("latency.example.com", "eu", "192.0.2.1", latency(types.ResourceRecordSetRegionEuWest1))),
		create(policied("latency.example.com", "us", "192.0.2.2", latency(types.ResourceRecordSetRegionUsEast1))),
		create(first),
		create(policied("failover.example.com", "second", "192.0.2.2", failover(types.ResourceRecordSetFailoverSecondary))),
	)
	if one, other := b.resolve("latency.example.com"), b.resolve("latency.example.com"); one == other || one+other == "" {
		t.Errorf("the answers are %q and %q", one, other)
	}
	if got := b.resolve("failover.example.com"); got != "192.0.2.1" {
		t.Errorf("with a healthy primary, the answer is %s", got)
	}
	b.must(b.srv.Route53().SetHealth(*check.HealthCheck.Id, false))
	if got := b.resolve("failover.example.com"); got != "192.0.2.2" {
		t.Errorf("with an unhealthy primary, the answer is %s", got)
	}
}
