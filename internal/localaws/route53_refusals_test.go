package localaws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// The golden file has the answer to each batch.
func TestRoute53_refusals(t *testing.T) {
	b := newDNSBench(t)
	b.change(
		create(weighted("www.example.com", "blue", 1, "192.0.2.1")),
		create(simple("one.example.com", types.RRTypeA, "192.0.2.1")),
		create(simple("name.example.com", types.RRTypeCname, "one.example.com")),
	)
	bare := func(change func(*types.ResourceRecordSet)) types.Change {
		r := weighted("www.example.com", "green", 1, "192.0.2.2")
		change(&r)
		return create(r)
	}
	zone, err := b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{HostedZoneId: &b.zone, MaxItems: aws.Int32(2)})
	b.must(err)
	hidden := []golden.Replacement{golden.Replace(b.zone, "ZONE")}
	before := b.records(300)
	for _, tc := range []struct {
		name    string
		changes []types.Change
	}{
		{"create what exists", []types.Change{create(weighted("www.example.com", "blue", 9, "192.0.2.9"))}},
		{"create a simple set that exists", []types.Change{create(simple("one.example.com", types.RRTypeA, "192.0.2.9"))}},
		{"delete what does not exist", []types.Change{remove(simple("two.example.com", types.RRTypeA, "192.0.2.9"))}},
		{"delete twice", []types.Change{remove(simple("one.example.com", types.RRTypeA, "192.0.2.1")), remove(simple("one.example.com", types.RRTypeA, "192.0.2.1"))}},
		{"delete other values", []types.Change{remove(simple("one.example.com", types.RRTypeA, "192.0.2.9"))}},
		{"weighted beside simple", []types.Change{upsert(weighted("one.example.com", "blue", 1, "192.0.2.1"))}},
		{"simple beside weighted", []types.Change{upsert(simple("www.example.com", types.RRTypeA, "192.0.2.1"))}},
		{"another TTL", []types.Change{bare(func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(30) })}},
		{"weight 256", []types.Change{bare(func(r *types.ResourceRecordSet) { r.Weight = aws.Int64(256) })}},
		{"weight -1", []types.Change{bare(func(r *types.ResourceRecordSet) { r.Weight = aws.Int64(-1) })}},
		{"no set identifier", []types.Change{bare(func(r *types.ResourceRecordSet) { r.SetIdentifier = nil })}},
		{"no weight", []types.Change{bare(func(r *types.ResourceRecordSet) { r.Weight = nil })}},
		{"empty set identifier", []types.Change{bare(func(r *types.ResourceRecordSet) { r.SetIdentifier = aws.String("") })}},
		{"long set identifier", []types.Change{bare(func(r *types.ResourceRecordSet) { r.SetIdentifier = aws.String(strings.Repeat("x", 129)) })}},
		{"two policies", []types.Change{bare(latency(types.ResourceRecordSetRegionUsEast1))}},
		{"no simulated policy", []types.Change{bare(func(r *types.ResourceRecordSet) {
			r.Weight, r.CidrRoutingConfig = nil, &types.CidrRoutingConfig{CollectionId: aws.String("c"), LocationName: aws.String("*")}
		})}},
		{"no values", []types.Change{create(types.ResourceRecordSet{Name: aws.String("two.example.com"), Type: types.RRTypeA})}},
		{"values and alias", []types.Change{bare(func(r *types.ResourceRecordSet) {
			r.AliasTarget = &types.AliasTarget{HostedZoneId: &b.zone, DNSName: aws.String("one.example.com")}
		})}},
		{"another zone", []types.Change{create(simple("www.example.org", types.RRTypeA, "192.0.2.1"))}},
		{"no address", []types.Change{create(simple("two.example.com", types.RRTypeA, "www.example.com"))}},
		{"no IPv6 address", []types.Change{create(simple("two.example.com", types.RRTypeAaaa, "192.0.2.1"))}},
		{"a value twice", []types.Change{create(simple("two.example.com", types.RRTypeA, "192.0.2.1", "192.0.2.1"))}},
		{"CNAME at the apex", []types.Change{create(simple("example.com", types.RRTypeCname, "one.example.com"))}},
		{"CNAME beside others", []types.Change{create(simple("one.example.com", types.RRTypeCname, "www.example.com"))}},
		{"others beside CNAME", []types.Change{create(simple("name.example.com", types.RRTypeA, "192.0.2.1"))}},
		{"alias to nothing", []types.Change{create(alias(simple("two.example.com", types.RRTypeA), b.zone, "three.example.com"))}},
		{"alias outside", []types.Change{create(alias(simple("two.example.com", types.RRTypeA), b.zone, "www.example.org"))}},
		{"alias to no load balancer", []types.Change{create(alias(simple("two.example.com", types.RRTypeA), "Z0LOCALAWS0000", "app.us-east-1.elb.localhost"))}},
		{"unknown health check", []types.Change{bare(func(r *types.ResourceRecordSet) { r.HealthCheckId = aws.String("abc") })}},
		{"the records of the zone", []types.Change{remove(zone.ResourceRecordSets[0]), remove(zone.ResourceRecordSets[1])}},
		{"several problems", []types.Change{create(simple("one.example.com", types.RRTypeA, "192.0.2.9")), remove(simple("two.example.com", types.RRTypeA, "192.0.2.9")), create(simple("new.example.com", types.RRTypeA, "192.0.2.3"))}},
	} {
		_, err := b.tryChange(b.ctx(), tc.changes...)
		if err == nil {
			t.Errorf("%s: no error", tc.name)
			continue
		}
		golden.Record(t, tc.name+"\n  "+answer(t, err), hidden...)
	}
	if after := b.records(300); after != before {
		t.Errorf("rejected batches changed the zone:\n%s", after)
	}
}

func TestRoute53_limits(t *testing.T) {
	b := newDNSBench(t)
	sets := func(n int, of func(int) types.Change) []types.Change {
		out := []types.Change{}
		for i := range n {
			out = append(out, of(i))
		}
		return out
	}
	own := func(i int) types.ResourceRecordSet {
		return simple(fmt.Sprintf("h%d.example.com", i), types.RRTypeA, "192.0.2.1")
	}
	for name, tc := range map[string]struct {
		changes []types.Change
		want    string
	}{
		"1001 creates": {sets(1001, func(i int) types.Change { return create(own(i)) }), "[Number of records limit of 1000 exceeded.]"},
		"501 upserts":  {sets(501, func(i int) types.Change { return upsert(own(i)) }), "[Number of records limit of 1000 exceeded.]"},
		"characters": {sets(200, func(i int) types.Change {
			return create(simple(fmt.Sprintf("t%d.example.com", i), types.RRTypeTxt, `"`+strings.Repeat("x", 160)+`"`))
		}), "[Number of characters limit of 32000 exceeded.]"},
		"101 weighted sets": {sets(101, func(i int) types.Change { return create(weighted("www.example.com", fmt.Sprint(i), 1, "192.0.2.1")) }),
			"[RRSet with DNS name www.example.com., type A, SetIdentifier 100 cannot be created as the limit of 100 weighted sets with the same name and type is reached.]"},
	} {
		_, err := b.tryChange(b.ctx(), tc.changes...)
		if err == nil || answer(t, err) != "InvalidChangeBatch: "+tc.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
	b.change(sets(1000, func(i int) types.Change { return create(own(i)) })...)
	b.change(sets(100, func(i int) types.Change { return create(weighted("www.example.com", fmt.Sprint(i), 1, "192.0.2.1")) })...)
	// A batch can change the TTL of all of them.
	b.change(sets(100, func(i int) types.Change {
		r := weighted("www.example.com", fmt.Sprint(i), 1, "192.0.2.1")
		r.TTL = aws.Int64(30)
		return upsert(r)
	})...)
}

func TestRoute53_unknownThings(t *testing.T) {
	b := newDNSBench(t)
	_, err := b.names.GetChange(b.ctx(), &route53.GetChangeInput{Id: aws.String("/change/C123")})
	golden.Record(t, answer(t, err))
	_, err = b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String("Z123")})
	golden.Record(t, answer(t, err))
	_, err = b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{HostedZoneId: &b.zone, StartRecordType: types.RRTypeA})
	golden.Record(t, answer(t, err))
	_, err = b.names.ListTrafficPolicies(b.ctx(), &route53.ListTrafficPoliciesInput{})
	golden.Record(t, answer(t, err))
}
