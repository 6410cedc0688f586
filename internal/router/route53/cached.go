package route53

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

const (
	aliasTTL = 60 * time.Second // of answers for an alias of an AWS resource
	maxDepth = 3                // of aliases of aliases whose targets are read
)

// cached returns how long resolvers may keep an earlier answer of record sets: the longest time to
// live, 60 s for an alias of an AWS resource. An alias of a record in the zone has the time to live of
// that one: those are the targets.
func cached(zone string, sets []types.ResourceRecordSet) (longest time.Duration, targets []place) {
	for _, set := range sets {
		switch {
		case set.AliasTarget == nil:
			longest = max(longest, time.Duration(aws.ToInt64(set.TTL))*time.Second)
		case aws.ToString(set.AliasTarget.HostedZoneId) == zone:
			targets = append(targets, place{zone, normalName(aws.ToString(set.AliasTarget.DNSName))})
		default:
			longest = max(longest, aliasTTL)
		}
	}
	return longest, distinct(targets)
}

// cachedOf is cached with the targets, of which it reads those that known does not have.
func cachedOf(ctx context.Context, list listAll, known *facts[Route, time.Duration], route Route, sets []types.ResourceRecordSet) (time.Duration, error) {
	longest, targets := cached(route.Zone, sets)
	for depth := 0; len(targets) > 0; depth++ {
		if depth == maxDepth {
			return max(longest, aliasTTL), nil
		}
		var unknown, next []place
		for _, at := range targets {
			if ttl, ok := known.get(at.route(route.Type)); ok {
				longest = max(longest, ttl)
			} else {
				unknown = append(unknown, at)
			}
		}
		for at, l := range list(ctx, unknown) {
			if l.err != nil {
				return 0, callError(listRecords, route.String(), l.err)
			}
			ttl, more := cached(route.Zone, ofType(l.sets, route.Type))
			if longest = max(longest, ttl); len(more) == 0 {
				known.put(at.route(route.Type), ttl)
			}
			next = append(next, more...)
		}
		targets = slices.Clone(distinct(next))
	}
	return longest, nil
}
