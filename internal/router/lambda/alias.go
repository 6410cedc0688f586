package lambda

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	maxGroups = 2               // an alias has one additional version
	maxWeight = int(shift.Full) // weights are tenths of a percent
	precision = float64(maxWeight)
)

// Limits returns what an alias can express. A version does not need to be part of an alias to be ready.
func Limits() traffic.Limits { return traffic.Limits{Groups: maxGroups, Weight: maxWeight} }

// routing is where an alias sends requests.
type routing struct {
	Version    string  `json:"version"`
	Additional string  `json:"additional,omitempty"` // empty: all requests go to Version
	Weight     float64 `json:"weight,omitempty"`     // of Additional, 0 to 1
}

// raw is the Raw value of a traffic.State: the routing of an alias as it was read. It is never changed, so
// copies of a traffic.State may share it.
type raw struct {
	route   string
	routing routing
}

// alias is an alias as it was read.
type alias struct {
	revision    string
	description string
	routing     routing
}

// isRewritten reports whether somebody wrote the routing that an alias had before, and nothing else: a rollback,
// which is no reason to write it again. Where something else changed, that is why it has another revision.
func (a alias) isRewritten(before alias) bool {
	return a.revision != before.revision && a.routing.same(before.routing) && a.description == before.description
}

// aliasOf returns what an answer says about an alias. It returns false where the answer is incomplete.
func aliasOf(version, revision *string, config *types.AliasRoutingConfiguration) (alias, bool) {
	a := alias{revision: aws.ToString(revision), routing: routing{Version: aws.ToString(version)}}
	if config != nil {
		for additional, weight := range config.AdditionalVersionWeights {
			a.routing.Additional, a.routing.Weight = additional, weight
		}
		if len(config.AdditionalVersionWeights) > 1 {
			return a, false // more than Lambda has
		}
	}
	return a, a.routing.Version != ""
}

// tenths returns the share of the additional version in tenths of a percent. What has some requests has
// at least one tenth, and what does not have all has at most all but one.
func (r routing) tenths() int {
	n := int(math.Round(r.Weight * precision))
	switch {
	case r.Additional == "" || r.Weight <= 0:
		return 0
	case r.Weight >= 1:
		return maxWeight
	}
	return min(max(n, 1), maxWeight-1)
}

// weights returns the weights by version, without those that have no share.
func (r routing) weights() map[string]int {
	weights, n := map[string]int{}, r.tenths()
	if n < maxWeight {
		weights[r.Version] = maxWeight - n
	}
	if n > 0 {
		weights[r.Additional] = n
	}
	return weights
}

// same reports whether two routings send the same shares to the same versions.
func (r routing) same(other routing) bool { return maps.Equal(r.weights(), other.weights()) }

// state returns what an alias does with a request.
func (a ARN) state(r routing) traffic.State {
	s := traffic.State{Weights: map[string]int{}, Label: a.Display(), Raw: &raw{a.String(), r}}
	for version, n := range r.weights() {
		s.Weights[a.with(version).String()] = n
	}
	return s
}

// shares returns the shares that a state gives to versions, without those that get none. It returns
// ErrInvalid for what an alias cannot have.
func (a ARN) shares(want traffic.State) (shift.Weights, error) {
	shares := shift.Weights{}
	if want.Response != "" || want.Stickiness != 0 {
		return nil, fmt.Errorf("%w: an alias has neither a response nor stickiness", ErrInvalid)
	}
	for _, group := range want.Groups() {
		g, err := ParseGroup(group)
		if err != nil {
			return nil, err
		}
		if g.Of() != a.Of() {
			return nil, fmt.Errorf("%s: %w than that of the %s", group, ErrOtherFunction, a.Display())
		}
		if n := want.Weights[group]; n < 0 || n > maxWeight {
			return nil, fmt.Errorf("%w: weight %d of %s, 0 to %d are allowed", ErrInvalid, n, g.Display(), maxWeight)
		}
	}
	for group, share := range shift.FromRaw(want.Weights) {
		shares[VersionOf(group)] = share
	}
	if len(shares) == 0 || len(shares) > maxGroups {
		return nil, fmt.Errorf("%w: %d versions with a share, 1 or %d are allowed", ErrInvalid, len(shares), maxGroups)
	}
	return shares, nil
}

// next returns the routing with these shares. The version of the current routing stays where it is while
// it has a share. A routing that has these shares already stays as it is: it may be finer.
func (r routing) next(shares shift.Weights) routing {
	weights := map[string]int{}
	for version, share := range shares {
		weights[version] = int(share)
	}
	if maps.Equal(weights, r.weights()) && len(weights) == maxGroups {
		return r
	}
	versions := slices.Sorted(maps.Keys(shares))
	primary := versions[0]
	for _, version := range versions {
		if shares[version] > shares[primary] {
			primary = version
		}
	}
	if shares[r.Version] > 0 {
		primary = r.Version
	}
	next := routing{Version: primary}
	for version, share := range shares {
		if version != primary {
			next.Additional, next.Weight = version, float64(share)/precision
		}
	}
	return next
}

// config is the routing configuration of a call. It is never left out: Lambda would keep the one that the
// alias has.
func (r routing) config() *types.AliasRoutingConfiguration {
	weights := map[string]float64{}
	if r.Additional != "" {
		weights[r.Additional] = r.Weight
	}
	return &types.AliasRoutingConfiguration{AdditionalVersionWeights: weights}
}
