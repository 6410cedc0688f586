package route53

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	pageSize      = 100 // record sets per name in a call, the maximum of one name and type
	maxPageSize   = 300 // record sets per call
	maxConcurrent = 8   // concurrent calls of one method
)

// listing is the record sets of a name, of all types, or why they could not be read.
type listing struct {
	sets []types.ResourceRecordSet
	err  error // of the API, unless it is a CallError
}

// lister lists record sets.
type lister struct{ client client }

// each lists names. Those of a zone share calls where they follow each other, so that there is one call for each
// name at most. It lists again where an answer is incomplete.
func (r lister) each(ctx context.Context, places []place) map[place]listing {
	zones := map[string][]place{}
	for _, at := range distinct(places) {
		zones[at.zone] = append(zones[at.zone], at)
	}
	var mu sync.Mutex
	found := map[place]listing{}
	var work []func()
	for _, some := range zones {
		work = append(work, func() {
			listings := r.inZone(ctx, some)
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(found, listings)
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return found
}

// inZone lists names of one zone, in their order. Where a call has none but its first one, the others follow
// concurrently, each with a call of its own.
func (r lister) inZone(ctx context.Context, places []place) map[place]listing {
	left := slices.SortedFunc(slices.Values(places), func(a, b place) int { return cmp.Compare(a.sortKey(), b.sortKey()) })
	found := map[place]listing{}
	for len(left) > 0 {
		listings := r.from(ctx, left)
		maps.Copy(found, listings)
		left = slices.DeleteFunc(left, func(at place) bool { _, is := found[at]; return is })
		if len(listings) == 1 {
			break
		}
	}
	var mu sync.Mutex
	var work []func()
	for _, at := range left {
		work = append(work, func() {
			listings := r.from(ctx, []place{at})
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(found, listings)
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return found
}

// sortKey orders names as Route 53 lists them: by their labels, the last one first.
func (p place) sortKey() string {
	labels := strings.Split(p.name, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// from lists the first of the names, and returns those that the answer has completely. With an error, it is that
// of all of them.
func (r lister) from(ctx context.Context, places []place) map[place]listing {
	found := map[place]listing{}
	sets, err := awscall.RetryIncomplete(ctx, func() (map[string][]types.ResourceRecordSet, error) { return r.list(ctx, places[0], len(places)) })
	for i, at := range places {
		if some, is := sets[at.name]; is || i == 0 || err != nil {
			found[at] = listing{some, err}
		}
	}
	return found
}

// list returns the record sets of a name, and of those that follow, by name. Without any of the name, it makes sure
// that this is true: the API has no error for a record that does not exist, and an empty answer may be one that
// leaves out everything. A hosted zone has at least the records SOA and NS.
func (r lister) list(ctx context.Context, at place, names int) (map[string][]types.ResourceRecordSet, error) {
	sets, err := r.listFrom(ctx, at, names)
	if err != nil || len(sets) > 0 {
		return sets, err
	}
	out, err := r.client.ListResourceRecordSets(ctx, &route53api.ListResourceRecordSetsInput{HostedZoneId: &at.zone, MaxItems: new(int32(1))})
	if err != nil {
		return nil, err
	}
	if len(out.ResourceRecordSets) == 0 {
		return nil, incomplete(listRecords, at.zone)
	}
	return r.listFrom(ctx, at, names)
}

// listFrom returns the record sets of a name, and of the following ones that the same answer has completely.
func (r lister) listFrom(ctx context.Context, at place, names int) (map[string][]types.ResourceRecordSet, error) {
	in := &route53api.ListResourceRecordSetsInput{HostedZoneId: &at.zone, StartRecordName: &at.name, MaxItems: new(int32(min(names*pageSize, maxPageSize)))}
	sets := map[string][]types.ResourceRecordSet{}
	for {
		out, err := r.client.ListResourceRecordSets(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, set := range out.ResourceRecordSets {
			if set.Name == nil || set.Type == "" {
				return nil, incomplete(listRecords, at.zone)
			}
			name := normalName(*set.Name)
			sets[name] = append(sets[name], set)
		}
		next := normalName(aws.ToString(out.NextRecordName))
		if !out.IsTruncated {
			return sets, nil
		}
		if next != at.name {
			delete(sets, next) // the rest of it follows
			return sets, nil
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
