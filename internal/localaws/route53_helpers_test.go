package localaws_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// dnsBench is a bench with a client of Route 53 and a hosted zone example.com.
type dnsBench struct {
	*bench
	names *route53.Client
	zone  string
}

func newDNSBench(t *testing.T, opts ...localaws.Option) *dnsBench {
	t.Helper()
	b := &dnsBench{bench: newBench(t, opts...)}
	b.names = route53Client(b.srv.URL(), 1)
	b.zone = b.createZone("example.com")
	return b
}

func route53Client(url string, attempts int) *route53.Client {
	return route53.New(route53.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(url), RetryMaxAttempts: attempts,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", ""),
	})
}

func (b *dnsBench) createZone(name string) string {
	b.t.Helper()
	out, err := b.names.CreateHostedZone(b.ctx(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: aws.String(name)})
	b.must(err)
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
}

// simple returns a record set that is alone with its name and type.
func simple(name string, kind types.RRType, values ...string) types.ResourceRecordSet {
	out := types.ResourceRecordSet{Name: &name, Type: kind, TTL: aws.Int64(60)}
	for _, v := range values {
		out.ResourceRecords = append(out.ResourceRecords, types.ResourceRecord{Value: &v})
	}
	return out
}

// weighted returns an A record set.
func weighted(name, id string, weight int64, value string) types.ResourceRecordSet {
	out := simple(name, types.RRTypeA, value)
	out.SetIdentifier, out.Weight = &id, &weight
	return out
}

// policied returns an A record set whose routing policy the change sets.
func policied(name, id, value string, change func(*types.ResourceRecordSet)) types.ResourceRecordSet {
	out := simple(name, types.RRTypeA, value)
	out.SetIdentifier = &id
	change(&out)
	return out
}

func latency(region types.ResourceRecordSetRegion) func(*types.ResourceRecordSet) {
	return func(r *types.ResourceRecordSet) { r.Region = region }
}

func failover(kind types.ResourceRecordSetFailover) func(*types.ResourceRecordSet) {
	return func(r *types.ResourceRecordSet) { r.Failover = kind }
}

func country(code string) func(*types.ResourceRecordSet) {
	return func(r *types.ResourceRecordSet) { r.GeoLocation = &types.GeoLocation{CountryCode: &code} }
}

func continent(code string) func(*types.ResourceRecordSet) {
	return func(r *types.ResourceRecordSet) { r.GeoLocation = &types.GeoLocation{ContinentCode: &code} }
}

func multivalue(r *types.ResourceRecordSet) { r.MultiValueAnswer = aws.Bool(true) }

// alias returns a record set without records, which refers to another name.
func alias(r types.ResourceRecordSet, zone, target string) types.ResourceRecordSet {
	r.TTL, r.ResourceRecords = nil, nil
	r.AliasTarget = &types.AliasTarget{HostedZoneId: &zone, DNSName: &target}
	return r
}

func upsert(r types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &r}
}

func create(r types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &r}
}

func remove(r types.ResourceRecordSet) types.Change {
	return types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: &r}
}

func (b *dnsBench) tryChange(ctx context.Context, changes ...types.Change) (*types.ChangeInfo, error) {
	out, err := b.names.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &b.zone, ChangeBatch: &types.ChangeBatch{Comment: aws.String("test"), Changes: changes},
	})
	if err != nil {
		return nil, err
	}
	return out.ChangeInfo, nil
}

// change applies a batch and returns the ID of the change.
func (b *dnsBench) change(changes ...types.Change) string {
	b.t.Helper()
	info, err := b.tryChange(b.ctx(), changes...)
	b.must(err)
	return *info.Id
}

// synced applies a batch and waits until it is INSYNC.
func (b *dnsBench) synced(changes ...types.Change) {
	b.t.Helper()
	id := b.change(changes...)
	b.until("INSYNC", func() bool { return b.status(id) == types.ChangeStatusInsync })
}

func (b *dnsBench) status(id string) types.ChangeStatus {
	b.t.Helper()
	out, err := b.names.GetChange(b.ctx(), &route53.GetChangeInput{Id: &id})
	b.must(err)
	return out.ChangeInfo.Status
}

// records returns all record sets but those of the zone itself, one a line, and asks for pages of the given size.
func (b *dnsBench) records(page int32) string {
	b.t.Helper()
	out := ""
	pages := route53.NewListResourceRecordSetsPaginator(b.names, &route53.ListResourceRecordSetsInput{HostedZoneId: &b.zone, MaxItems: &page})
	for pages.HasMorePages() {
		next, err := pages.NextPage(b.ctx())
		b.must(err)
		for _, r := range next.ResourceRecordSets {
			out += describe(r)
		}
	}
	return out
}

func describe(r types.ResourceRecordSet) string {
	if r.Type == types.RRTypeNs || r.Type == types.RRTypeSoa {
		return ""
	}
	text := fmt.Sprintf("%s %s", *r.Name, r.Type)
	switch {
	case r.Weight != nil:
		text += fmt.Sprintf(" %s weight %d", *r.SetIdentifier, *r.Weight)
	case r.SetIdentifier != nil:
		text += fmt.Sprintf(" %s %s%s", *r.SetIdentifier, r.Region, r.Failover)
		if r.GeoLocation != nil {
			text += aws.ToString(r.GeoLocation.ContinentCode) + aws.ToString(r.GeoLocation.CountryCode)
		}
		if aws.ToBool(r.MultiValueAnswer) {
			text += "multivalue"
		}
	}
	if r.AliasTarget != nil {
		text += " alias " + *r.AliasTarget.DNSName
	}
	for _, v := range r.ResourceRecords {
		text += fmt.Sprintf(" ttl %d %s", *r.TTL, *v.Value)
	}
	return text + "\n"
}

// answer returns the code and the message of an error of the API.
func answer(t *testing.T, err error) string {
	t.Helper()
	known, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatalf("got %v, which is no error of the API", err)
	}
	return known.ErrorCode() + ": " + known.ErrorMessage()
}
