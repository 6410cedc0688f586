package localaws_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

func TestRoute53_zones(t *testing.T) {
	b := newDNSBench(t)
	b.createZone("a.example.com")
	b.createZone("example.org.")
	got, err := b.names.GetHostedZone(b.ctx(), &route53.GetHostedZoneInput{Id: &b.zone})
	b.must(err)
	if *got.HostedZone.Name != "example.com." || *got.HostedZone.ResourceRecordSetCount != 2 || len(got.DelegationSet.NameServers) != 4 {
		t.Errorf("got %+v, %+v", got.HostedZone, got.DelegationSet)
	}
	byName, err := b.names.ListHostedZonesByName(b.ctx(), &route53.ListHostedZonesByNameInput{DNSName: aws.String("example.com"), MaxItems: aws.Int32(2)})
	b.must(err)
	names := []string{}
	for _, z := range byName.HostedZones {
		names = append(names, *z.Name)
	}
	if want := "example.com. a.example.com."; strings.Join(names, " ") != want || !byName.IsTruncated || *byName.NextDNSName != "example.org." {
		t.Errorf("got %s, next %s, want %s", names, aws.ToString(byName.NextDNSName), want)
	}
	_, err = b.names.CreateHostedZone(b.ctx(), &route53.CreateHostedZoneInput{Name: aws.String("example.net"), CallerReference: aws.String("example.com")})
	if want := "HostedZoneAlreadyExists: A hosted zone has already been created with the specified caller reference."; answer(t, err) != want {
		t.Errorf("got %s", answer(t, err))
	}
	b.change(create(weighted("www.example.com", "blue", 1, "192.0.2.1")))
	_, err = b.names.DeleteHostedZone(b.ctx(), &route53.DeleteHostedZoneInput{Id: &b.zone})
	if want := "HostedZoneNotEmpty: The specified hosted zone contains non-required resource record sets and so cannot be deleted."; answer(t, err) != want {
		t.Errorf("got %s", answer(t, err))
	}
	b.change(remove(weighted("www.example.com", "blue", 1, "192.0.2.1")))
	_, err = b.names.DeleteHostedZone(b.ctx(), &route53.DeleteHostedZoneInput{Id: &b.zone})
	b.must(err)
	_, err = b.names.GetHostedZone(b.ctx(), &route53.GetHostedZoneInput{Id: &b.zone})
	if want := "NoSuchHostedZone: No hosted zone found with ID: " + b.zone; answer(t, err) != want {
		t.Errorf("got %s", answer(t, err))
	}
}

func TestRoute53_listsByReversedLabelsInPages(t *testing.T) {
	b := newDNSBench(t)
	b.synced(
		create(simple("www.example.com", types.RRTypeTxt, `"v"`)),
		create(weighted("www.example.com", "green", 0, "192.0.2.2")),
		create(weighted("WWW.example.com", "blue", 255, "192.0.2.1")),
		create(simple("b.a.example.com", types.RRTypeA, "192.0.2.4")),
		create(simple("*.example.com", types.RRTypeA, "192.0.2.5", "192.0.2.6")),
		create(alias(simple("z.a.example.com", types.RRTypeA), b.zone, "www.example.com")),
	)
	want := `\052.example.com. A ttl 60 192.0.2.5 ttl 60 192.0.2.6
b.a.example.com. A ttl 60 192.0.2.4
z.a.example.com. A alias www.example.com.
www.example.com. A blue weight 255 ttl 60 192.0.2.1
www.example.com. A green weight 0 ttl 60 192.0.2.2
www.example.com. TXT ttl 60 "v"
`
	for _, page := range []int32{1, 2, 300} {
		if got := b.records(page); got != want {
			t.Errorf("pages of %d: got\n%swant\n%s", page, got, want)
		}
	}
	aliased, err := b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{HostedZoneId: &b.zone, StartRecordName: aws.String("z.a.example.com"), MaxItems: aws.Int32(1)})
	b.must(err)
	if r := aliased.ResourceRecordSets[0]; r.ResourceRecords != nil || r.TTL != nil || r.Weight != nil || r.SetIdentifier != nil {
		t.Errorf("an alias has fields of other record sets: %+v", r)
	}
	first, err := b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{
		HostedZoneId: &b.zone, StartRecordName: aws.String("www.example.com"), StartRecordType: types.RRTypeA, StartRecordIdentifier: aws.String("green"), MaxItems: aws.Int32(1),
	})
	b.must(err)
	if len(first.ResourceRecordSets) != 1 || *first.ResourceRecordSets[0].SetIdentifier != "green" ||
		*first.NextRecordName != "www.example.com." || first.NextRecordType != types.RRTypeTxt || first.NextRecordIdentifier != nil {
		t.Errorf("got %+v", first)
	}
}

// A batch that deletes what was read and creates what is desired fails as a whole if somebody else was faster.
func TestRoute53_batchComparesAndSwaps(t *testing.T) {
	b := newDNSBench(t)
	blue, green := weighted("www.example.com", "blue", 100, "192.0.2.1"), weighted("www.example.com", "green", 0, "192.0.2.2")
	b.change(create(blue), create(green))
	moved := weighted("www.example.com", "blue", 90, "192.0.2.1")
	b.change(upsert(moved))
	before := b.records(300)
	_, err := b.tryChange(b.ctx(),
		remove(green), create(weighted("www.example.com", "green", 5, "192.0.2.2")),
		remove(blue), create(weighted("www.example.com", "blue", 95, "192.0.2.1")))
	want := "InvalidChangeBatch: [Tried to delete resource record set [name='www.example.com.', type='A', set-identifier='blue'] but the values provided do not match the current values, " +
		"Tried to create resource record set [name='www.example.com.', type='A', set-identifier='blue'] but it already exists]"
	if got := answer(t, err); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if after := b.records(300); after != before {
		t.Errorf("a failed batch changed the zone:\n%s", after)
	}
	b.change(remove(green), create(weighted("www.example.com", "green", 5, "192.0.2.2")), remove(moved), create(weighted("www.example.com", "blue", 95, "192.0.2.1")))
	if got := b.srv.Route53().Weights(b.zone, "www.example.com", "A"); got["blue"] != 95 || got["green"] != 5 {
		t.Errorf("got %v", got)
	}
}

// Each row is one value of a DELETE that differs from the record set.
func TestRoute53_deleteMatchesEveryValue(t *testing.T) {
	b := newDNSBench(t)
	check, err := b.names.CreateHealthCheck(b.ctx(), &route53.CreateHealthCheckInput{
		CallerReference: aws.String("a"), HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: aws.String("192.0.2.1"), Port: aws.Int32(80)},
	})
	b.must(err)
	stored := weighted("www.example.com", "blue", 10, "192.0.2.1")
	stored.ResourceRecords = append(stored.ResourceRecords, types.ResourceRecord{Value: aws.String("192.0.2.9")})
	stored.HealthCheckId = check.HealthCheck.Id
	b.change(create(simple("target.example.com", types.RRTypeA, "192.0.2.7")), create(simple("other.example.com", types.RRTypeA, "192.0.2.7")), create(stored))
	aliased := alias(simple("alias.example.com", types.RRTypeA), b.zone, "target.example.com")
	b.change(create(aliased))
	const differs, missing = "but the values provided do not match the current values", "but it was not found"
	for name, tc := range map[string]struct {
		change func(*types.ResourceRecordSet)
		of     types.ResourceRecordSet
		want   string
	}{
		"weight":         {func(r *types.ResourceRecordSet) { r.Weight = aws.Int64(11) }, stored, differs},
		"TTL":            {func(r *types.ResourceRecordSet) { r.TTL = aws.Int64(61) }, stored, differs},
		"fewer values":   {func(r *types.ResourceRecordSet) { r.ResourceRecords = r.ResourceRecords[:1] }, stored, differs},
		"health check":   {func(r *types.ResourceRecordSet) { r.HealthCheckId = nil }, stored, differs},
		"set identifier": {func(r *types.ResourceRecordSet) { r.SetIdentifier = aws.String("green") }, stored, missing},
		"name":           {func(r *types.ResourceRecordSet) { r.Name = aws.String("w.example.com") }, stored, missing},
		"alias target":   {func(r *types.ResourceRecordSet) { *r = alias(*r, b.zone, "other.example.com") }, aliased, differs},
		"evaluation": {func(r *types.ResourceRecordSet) {
			*r = alias(*r, b.zone, "target.example.com")
			r.AliasTarget.EvaluateTargetHealth = true
		}, aliased, differs},
	} {
		given := tc.of
		tc.change(&given)
		_, err := b.tryChange(b.ctx(), remove(given))
		if err == nil || !strings.HasPrefix(answer(t, err), "InvalidChangeBatch: ") || !strings.Contains(answer(t, err), tc.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	stored.ResourceRecords[0], stored.ResourceRecords[1] = stored.ResourceRecords[1], stored.ResourceRecords[0]
	b.change(remove(stored), remove(aliased)) // the order of values has no meaning
}

func TestRoute53_changesArePendingInOrder(t *testing.T) {
	clock := newClock()
	b := newDNSBench(t, localaws.WithRecordPropagation(30*time.Second), localaws.WithNow(clock.read))
	clock.advance(time.Minute)
	first := b.change(create(weighted("www.example.com", "blue", 1, "192.0.2.1")))
	release := b.srv.Route53().Hold()
	second := b.change(create(weighted("www.example.com", "green", 1, "192.0.2.2")))
	clock.advance(time.Minute)
	if b.status(first) != types.ChangeStatusPending || b.status(second) != types.ChangeStatusPending {
		t.Error("a change is INSYNC while changes are held")
	}
	release()
	if b.status(first) != types.ChangeStatusInsync || b.status(second) != types.ChangeStatusInsync {
		t.Error("a change is PENDING although its time is over")
	}
	third := b.change(upsert(weighted("www.example.com", "blue", 2, "192.0.2.1")))
	clock.advance(30*time.Second - time.Millisecond)
	if got := b.status(third); got != types.ChangeStatusPending {
		t.Errorf("got %s before the time is over", got)
	}
	clock.advance(time.Millisecond)
	if got := b.status(third); got != types.ChangeStatusInsync {
		t.Errorf("got %s when the time is over", got)
	}
}

func TestRoute53_faults(t *testing.T) {
	b := newDNSBench(t)
	blue := weighted("www.example.com", "blue", 1, "192.0.2.1")
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.Throttle, Times: 1})
	_, err := b.tryChange(b.ctx(), create(blue))
	if got := answer(t, err); got != "Throttling: Rate exceeded" {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.PriorRequest, Times: 1})
	_, err = b.tryChange(b.ctx(), create(blue))
	if got, want := answer(t, err), "PriorRequestNotComplete: The request was rejected because Route 53 was still processing a prior request."; got != want {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.LostWrite, ARN: "www.example.com", Times: 1})
	lost := b.change(create(blue))
	if got := b.records(300); got != "" || b.status(lost) != types.ChangeStatusInsync {
		t.Errorf("a lost write has changed the zone: %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ChangeResourceRecordSets", Kind: faults.DropAnswer, Times: 1})
	if _, err := b.tryChange(b.ctx(), create(blue)); err == nil {
		t.Error("got an answer")
	}
	if got := b.records(300); got == "" {
		t.Error("a write whose answer is lost has not changed the zone")
	}
	stop := b.srv.Inject(faults.Fault{Action: "ListResourceRecordSets", Kind: faults.StaleRead})
	b.change(upsert(weighted("www.example.com", "blue", 2, "192.0.2.1")))
	if got := b.records(300); !strings.Contains(got, "weight 1") {
		t.Errorf("got %s", got)
	}
	stop()
	if got := b.records(300); !strings.Contains(got, "weight 2") {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ListResourceRecordSets", Kind: faults.AccessDenied, Times: 1})
	_, err = b.names.ListResourceRecordSets(b.ctx(), &route53.ListResourceRecordSetsInput{HostedZoneId: &b.zone})
	if got := answer(t, err); !strings.HasPrefix(got, "AccessDenied: User: arn:aws:iam::123456789012:user/local is not authorized to perform: route53:ListResourceRecordSets") {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "ListResourceRecordSets", Kind: faults.EmptyList, Times: 1})
	if got := b.records(300); got != "" {
		t.Errorf("got %s", got)
	}
}

func TestRoute53_throttlesWithABucket(t *testing.T) {
	clock := newClock()
	b := newDNSBench(t, localaws.WithRoute53Rate(5), localaws.WithNow(clock.read))
	codes := []string{}
	read := func() {
		_, err := b.names.GetHostedZone(b.ctx(), &route53.GetHostedZoneInput{Id: &b.zone})
		if err == nil {
			codes = append(codes, "ok")
			return
		}
		codes = append(codes, answer(t, err))
	}
	for range 5 { // the bench has made one call
		read()
	}
	clock.advance(200 * time.Millisecond)
	read()
	read()
	if want := "[ok ok ok ok Throttling: Rate exceeded ok Throttling: Rate exceeded]"; fmt.Sprint(codes) != want {
		t.Errorf("got %s, want %s", codes, want)
	}
}

func TestRoute53_rejectsChangesOfABusyZone(t *testing.T) {
	clock := newClock()
	b := newDNSBench(t, localaws.WithRecordProcessing(time.Second), localaws.WithNow(clock.read))
	_, err := b.tryChange(b.ctx(), create(weighted("www.example.com", "blue", 1, "192.0.2.1")))
	if got := answer(t, err); !strings.HasPrefix(got, "PriorRequestNotComplete: ") {
		t.Errorf("got %s", got)
	}
	clock.advance(time.Second)
	b.change(create(weighted("www.example.com", "blue", 1, "192.0.2.1")))
}

func TestRoute53_healthChecks(t *testing.T) {
	b := newDNSBench(t)
	created, err := b.names.CreateHealthCheck(b.ctx(), &route53.CreateHealthCheckInput{
		CallerReference: aws.String("a"), HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeHttp, FullyQualifiedDomainName: aws.String("example.com"), Regions: []types.HealthCheckRegion{"us-east-1"}},
	})
	b.must(err)
	id := created.HealthCheck.Id
	statuses := func() map[string]int {
		out, err := b.names.GetHealthCheckStatus(b.ctx(), &route53.GetHealthCheckStatusInput{HealthCheckId: id})
		b.must(err)
		found := map[string]int{}
		for _, o := range out.HealthCheckObservations {
			found[*o.StatusReport.Status]++
		}
		return found
	}
	if got := statuses(); got["Success: HTTP Status Code 200, OK"] != 16 {
		t.Errorf("got %v", got)
	}
	b.must(b.srv.Route53().SetHealth(*id, false))
	if got := statuses(); got["Failure: HTTP Status Code 503, Service Unavailable"] != 16 || b.srv.Route53().Healthy(*id) {
		t.Errorf("got %v", got)
	}
	_, err = b.names.UpdateHealthCheck(b.ctx(), &route53.UpdateHealthCheckInput{HealthCheckId: id, Inverted: aws.Bool(true)})
	b.must(err)
	if !b.srv.Route53().Healthy(*id) {
		t.Error("an inverted health check whose checkers fail is unhealthy")
	}
	listed, err := b.names.ListHealthChecks(b.ctx(), &route53.ListHealthChecksInput{})
	b.must(err)
	if len(listed.HealthChecks) != 1 || !*listed.HealthChecks[0].HealthCheckConfig.Inverted || listed.HealthChecks[0].HealthCheckConfig.Regions[0] != "us-east-1" {
		t.Errorf("got %+v", listed.HealthChecks)
	}
	_, err = b.names.DeleteHealthCheck(b.ctx(), &route53.DeleteHealthCheckInput{HealthCheckId: id})
	b.must(err)
	_, err = b.names.GetHealthCheck(b.ctx(), &route53.GetHealthCheckInput{HealthCheckId: id})
	if got, want := answer(t, err), "NoSuchHealthCheck: A health check with id "+*id+" does not exist."; got != want {
		t.Errorf("got %s", got)
	}
	if err := b.srv.Route53().SetHealth(*id, true); err == nil {
		t.Error("the health of a deleted health check can be set")
	}
}

func TestRoute53_tags(t *testing.T) {
	b := newDNSBench(t)
	_, err := b.names.ChangeTagsForResource(b.ctx(), &route53.ChangeTagsForResourceInput{
		ResourceType: types.TagResourceTypeHostedzone, ResourceId: &b.zone, AddTags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}},
	})
	b.must(err)
	_, err = b.names.ChangeTagsForResource(b.ctx(), &route53.ChangeTagsForResourceInput{ResourceType: types.TagResourceTypeHostedzone, ResourceId: &b.zone, RemoveTagKeys: []string{"a"}})
	b.must(err)
	out, err := b.names.ListTagsForResource(b.ctx(), &route53.ListTagsForResourceInput{ResourceType: types.TagResourceTypeHostedzone, ResourceId: &b.zone})
	b.must(err)
	if len(out.ResourceTagSet.Tags) != 1 || *out.ResourceTagSet.Tags[0].Key != "b" {
		t.Errorf("got %+v", out.ResourceTagSet)
	}
}

// The journal has the parameters of all protocols in one form.
func TestRoute53_journal(t *testing.T) {
	b := newDNSBench(t)
	b.change(create(weighted("www.example.com", "blue", 7, "192.0.2.1")))
	calls := b.srv.Calls()
	last := calls[len(calls)-1]
	at := "ChangeBatch.Changes.member.1."
	got := fmt.Sprint(last.Service, " ", last.Action, " ", last.Params.Get("HostedZoneId") == b.zone, " ", last.Params.Get(at+"Action"), " ",
		last.Params.Get(at+"ResourceRecordSet.Weight"), " ", last.Params.Get(at+"ResourceRecordSet.ResourceRecords.member.1.Value"), " ", last.Status)
	if want := "route53 ChangeResourceRecordSets true CREATE 7 192.0.2.1 200"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRoute53_zoneSettings(t *testing.T) {
	b := newDNSBench(t)
	private, err := b.names.CreateHostedZone(b.ctx(), &route53.CreateHostedZoneInput{
		Name: aws.String("internal"), CallerReference: aws.String("internal"), VPC: &types.VPC{VPCId: aws.String("vpc-1"), VPCRegion: types.VPCRegionUsEast1},
	})
	b.must(err)
	got, err := b.names.GetHostedZone(b.ctx(), &route53.GetHostedZoneInput{Id: private.HostedZone.Id})
	b.must(err)
	if !got.HostedZone.Config.PrivateZone || len(got.VPCs) != 1 || *got.VPCs[0].VPCId != "vpc-1" || got.DelegationSet != nil {
		t.Errorf("got %+v", got)
	}
	changed, err := b.names.UpdateHostedZoneComment(b.ctx(), &route53.UpdateHostedZoneCommentInput{Id: &b.zone, Comment: aws.String("shop")})
	b.must(err)
	if *changed.HostedZone.Config.Comment != "shop" {
		t.Errorf("got %+v", changed.HostedZone)
	}
	signing, err := b.names.GetDNSSEC(b.ctx(), &route53.GetDNSSECInput{HostedZoneId: &b.zone})
	b.must(err)
	if *signing.Status.ServeSignature != "NOT_SIGNING" {
		t.Errorf("got %+v", signing.Status)
	}
	names := []string{}
	pages := route53.NewListHostedZonesPaginator(b.names, &route53.ListHostedZonesInput{MaxItems: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(b.ctx())
		b.must(err)
		for _, z := range page.HostedZones {
			names = append(names, *z.Name)
		}
	}
	if fmt.Sprint(names) != "[example.com. internal.]" {
		t.Errorf("got %s", names)
	}
}

// What no SDK sends is rejected with an answer of the API.
func TestRoute53_malformedRequests(t *testing.T) {
	b := newDNSBench(t)
	for request, want := range map[string]string{
		"POST /2013-04-01/hostedzone/" + b.zone + "/rrset <ChangeResourceRecordSetsRequest>": "<Code>InvalidInput</Code><Message>Invalid XML ; XML syntax error on line 1: unexpected EOF</Message>",
		"POST /2013-04-01/hostedzone/" + b.zone + "/rrset/ <X><ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet><Name>a</Name><Type>A</Type><Weight>x</Weight></ResourceRecordSet></Change></Changes></ChangeBatch></X>": "<Code>InvalidInput</Code><Message>The value x at &#39;ChangeBatch.Changes.member.1.ResourceRecordSet.Weight&#39; is not a number</Message>",
		"POST /2013-04-01/hostedzone/" + b.zone + "/rrset <X/>":      "<Code>InvalidInput</Code><Message>1 validation error detected: Value &#39;[]&#39; at &#39;changeBatch.changes&#39; failed to satisfy constraint: Member must have length greater than or equal to 1</Message>",
		"GET /2013-04-01/hostedzone/" + b.zone + "/rrset?maxitems=0": "<Code>InvalidInput</Code>",
		"PUT /2013-04-01/hostedzone":                                 "<Code>InvalidAction</Code>",
	} {
		parts := strings.SplitN(request+"  ", " ", 3)
		req, err := http.NewRequestWithContext(b.ctx(), parts[0], b.srv.URL()+parts[1], strings.NewReader(strings.TrimSpace(parts[2])))
		b.must(err)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20260101/us-east-1/route53/aws4_request")
		resp, err := b.web.Do(req)
		b.must(err)
		body, err := io.ReadAll(resp.Body)
		b.must(errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != 400 || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %d %s", request, resp.StatusCode, body)
		}
	}
	resp, err := b.web.Get(b.srv.URL() + "/2013-04-01/hostedzone")
	b.must(err)
	if b.must(resp.Body.Close()); resp.StatusCode != 403 {
		t.Errorf("a request without a signature got %d", resp.StatusCode)
	}
}
