package route53

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// maxWeight is the largest weight that the API accepts.
const maxWeight = 255

// Limits returns what a weighted record can express. A switch has no limit of groups: a name and
// type can have 100 record sets. Those with weight 0 are no groups of a State: a route cannot attach
// or detach them.
func Limits() traffic.Limits { return traffic.Limits{Weight: maxWeight} }

// raw is the Raw value of a traffic.State: the record sets of a route as they were read. They are
// never changed, so copies of a traffic.State may share them.
type raw struct {
	route string
	sets  []types.ResourceRecordSet
}

// String prints no values.
func (k *raw) String() string { return "the record sets of " + k.route }

// rawJSON is a raw in JSON.
type rawJSON struct {
	Route string                    `json:"route"`
	Sets  []types.ResourceRecordSet `json:"record_sets"`
}

// MarshalJSON implements json.Marshaler.
func (k *raw) MarshalJSON() ([]byte, error) { return json.Marshal(rawJSON{k.route, k.sets}) }

// Restore gives a state that was in JSON the Raw value that it had.
func Restore(s *traffic.State) error {
	if s.Raw == nil {
		return nil
	}
	text, err := json.Marshal(s.Raw)
	if err != nil {
		return err
	}
	var x rawJSON
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("the record sets of a route: %w", err)
	}
	s.Raw = &raw{x.Route, x.Sets}
	return nil
}

// ofType returns the record sets of a type.
func ofType(sets []types.ResourceRecordSet, kind string) []types.ResourceRecordSet {
	return slices.DeleteFunc(slices.Clone(sets), func(s types.ResourceRecordSet) bool { return string(s.Type) != kind })
}

// stateOf returns the state of a route from all record sets of its name, with a Cached that leaves out
// the targets of aliases in the zone; see cachedOf. It returns a MissingError
// and a NotWeightedError.
func stateOf(route Route, all []types.ResourceRecordSet) (traffic.State, error) {
	sets := ofType(all, route.Type)
	if len(sets) == 0 {
		return traffic.State{}, missing(route.String())
	}
	for _, set := range sets {
		if policy := policyOf(set); policy != weighted {
			return traffic.State{}, &NotWeightedError{route.String(), policy}
		}
	}
	longest, _ := cached(route.Zone, sets)
	return traffic.State{
		Weights: weightsOf(route.place(), sets), Label: route.Display(), Cached: longest, Raw: &raw{route.String(), sets},
	}, nil
}

// weightsOf returns the weights above 0 by group. Where all are 0, Route 53 answers with each record
// set equally often: that reads as weight 1 for each.
func weightsOf(at place, sets []types.ResourceRecordSet) map[string]int {
	weights, equal := map[string]int{}, map[string]int{}
	for _, set := range sets {
		group := at.group(identifierOf(set))
		equal[group] = 1
		if n := weightOf(set); n > 0 {
			weights[group] = n
		}
	}
	if len(weights) == 0 {
		return equal
	}
	return weights
}

// The routing policies, as the console names them.
const (
	weighted      = "weighted"
	trafficPolicy = "traffic policy" // which owns its record sets
)

func policyOf(set types.ResourceRecordSet) string {
	switch {
	case set.TrafficPolicyInstanceId != nil:
		return trafficPolicy
	case set.Weight != nil:
		return weighted
	case set.Failover != "":
		return "failover"
	case set.Region != "":
		return "latency"
	case set.GeoLocation != nil:
		return "geolocation"
	case set.GeoProximityLocation != nil:
		return "geoproximity"
	case set.CidrRoutingConfig != nil:
		return "IP-based"
	case aws.ToBool(set.MultiValueAnswer):
		return "multivalue answer"
	}
	return "simple"
}

func identifierOf(set types.ResourceRecordSet) string { return aws.ToString(set.SetIdentifier) }

func weightOf(set types.ResourceRecordSet) int { return int(aws.ToInt64(set.Weight)) }

// withWeight returns a record set with another weight.
func withWeight(set types.ResourceRecordSet, n int) types.ResourceRecordSet {
	set.Weight = new(int64(n))
	return set
}

// target returns the raw record sets and the weights by set identifier of a desired state. It
// returns ErrInvalid where Write would send nothing that the API accepts.
func target(route Route, want traffic.State) (*raw, map[string]int, error) {
	k, ok := want.Raw.(*raw)
	if !ok || k.route != route.String() {
		return nil, nil, fmt.Errorf("%w: its Raw value was not read from %s", ErrInvalid, route.Display())
	}
	if want.Response != "" || want.Stickiness != 0 {
		return nil, nil, fmt.Errorf("%w: %s has weights and nothing else", ErrInvalid, route.Display())
	}
	weights, total := map[string]int{}, 0
	for _, group := range slices.Sorted(maps.Keys(want.Weights)) {
		n := want.Weights[group]
		g, err := ParseGroup(group)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		case g.place() != route.place():
			return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, &GroupError{group, route.String(), ErrOtherName})
		case n < 0 || n > maxWeight:
			return nil, nil, fmt.Errorf("%w: %s has weight %d, 0 to %d is allowed", ErrInvalid, g.Identifier, n, maxWeight)
		}
		weights[g.Identifier] = n
		total += n
	}
	if total == 0 { // Route 53 would take it as equal shares
		return nil, nil, fmt.Errorf("%w: %s needs a weight above 0", ErrInvalid, route.Display())
	}
	return k, weights, nil
}
