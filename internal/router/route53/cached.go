package route53

import (
	"context"
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
// that one, so it returns what such aliases are of.
func cached(zone string, sets []types.ResourceRecordSet) (longest time.Duration, aliases []place) {
	for _, set := range sets {
		switch {
		case set.AliasTarget == nil:
			longest = max(longest, time.Duration(aws.ToInt64(set.TTL))*time.Second)
		case aws.ToString(set.AliasTarget.HostedZoneId) == zone:
			aliases = append(aliases, place{zone, normalName(aws.ToString(set.AliasTarget.DNSName))})
		default:
			longest = max(longest, aliasTTL)
		}
	}
	return longest, distinct(aliases)
}

// targets finds out how long answers of targets of aliases are cached.
type targets struct {
	list  listAll
	known *facts[Route, time.Duration]
}

// cached is cached with the targets, of which it reads those that are not known.
func (t targets) cached(ctx context.Context, route Route, sets []types.ResourceRecordSet) (time.Duration, error) {
	longest, next := cached(route.Zone, sets)
	for depth := 0; len(next) > 0; depth++ {
		if depth == maxDepth {
			return max(longest, aliasTTL), nil
		}
		var unknown, more []place
		for _, at := range next {
			if ttl, ok := t.known.get(at.route(route.Type)); ok {
				longest = max(longest, ttl)
			} else {
				unknown = append(unknown, at)
			}
		}
		for at, l := range t.list(ctx, unknown) {
			if l.err != nil {
				return 0, callError(listRecords, route.String(), l.err)
			}
			ttl, aliases := cached(route.Zone, ofType(l.sets, route.Type))
			if longest = max(longest, ttl); len(aliases) == 0 {
				t.known.put(at.route(route.Type), ttl)
			}
			more = append(more, aliases...)
		}
		next = distinct(more)
	}
	return longest, nil
}
