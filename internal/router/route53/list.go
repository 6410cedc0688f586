package route53

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	pageSize      = 100 // record sets per call, the maximum of one name and type
	maxConcurrent = 8   // concurrent calls of one method
)

// listing is the record sets of a name, of all types, or why they could not be read.
type listing struct {
	sets []types.ResourceRecordSet
	err  error // of the API, unless it is a CallError
}

// lister lists record sets.
type lister struct{ client client }

// each lists names, each with one call, and again where an answer is incomplete.
func (r lister) each(ctx context.Context, places []place) map[place]listing {
	var mu sync.Mutex
	found := map[place]listing{}
	var work []func()
	for _, at := range distinct(places) {
		work = append(work, func() {
			sets, err := awscall.RetryIncomplete(ctx, func() ([]types.ResourceRecordSet, error) { return r.list(ctx, at) })
			mu.Lock()
			defer mu.Unlock()
			found[at] = listing{sets, err}
		})
	}
	runConcurrently(work)
	return found
}

// list returns the record sets of a name. Without any, it makes sure that this is true: the API has
// no error for a record that does not exist, and an empty answer may be one that leaves out
// everything. A hosted zone has at least the records SOA and NS.
func (r lister) list(ctx context.Context, at place) ([]types.ResourceRecordSet, error) {
	sets, some, err := r.listFrom(ctx, at)
	if err != nil || some {
		return sets, err
	}
	out, err := r.client.ListResourceRecordSets(ctx, &route53api.ListResourceRecordSetsInput{HostedZoneId: &at.zone, MaxItems: new(int32(1))})
	if err != nil {
		return nil, err
	}
	if len(out.ResourceRecordSets) == 0 {
		return nil, incomplete(listRecords, at.zone)
	}
	sets, _, err = r.listFrom(ctx, at)
	return sets, err
}

// listFrom returns the record sets of a name, and whether the answer had any record set: the API
// lists those of the names that follow as well.
func (r lister) listFrom(ctx context.Context, at place) (sets []types.ResourceRecordSet, some bool, err error) {
	in := &route53api.ListResourceRecordSetsInput{HostedZoneId: &at.zone, StartRecordName: &at.name, MaxItems: new(int32(pageSize))}
	for {
		out, err := r.client.ListResourceRecordSets(ctx, in)
		if err != nil {
			return nil, false, err
		}
		some = some || len(out.ResourceRecordSets) > 0
		for _, set := range out.ResourceRecordSets {
			if set.Name == nil || set.Type == "" {
				return nil, false, incomplete(listRecords, at.zone)
			}
			if normalName(*set.Name) == at.name {
				sets = append(sets, set)
			}
		}
		if !out.IsTruncated || normalName(aws.ToString(out.NextRecordName)) != at.name {
			return sets, some, nil
		}
		in.StartRecordName, in.StartRecordType, in.StartRecordIdentifier = out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier
	}
}

// copied returns a state that the caller may change.
func copied(s traffic.State) traffic.State {
	s.Weights = maps.Clone(s.Weights)
	return s
}

func distinct[T comparable](all []T) []T {
	var each []T
	for _, one := range all {
		if !slices.Contains(each, one) {
			each = append(each, one)
		}
	}
	return each
}

// runConcurrently runs all the work, maxConcurrent pieces at a time.
func runConcurrently(work []func()) {
	slots := make(chan struct{}, maxConcurrent)
	var all sync.WaitGroup
	for _, do := range work {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			do()
		})
	}
	all.Wait()
}
