package route53

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// geoLocation is where the clients of a geolocation record set are.
type geoLocation struct {
	ContinentCode   string `xml:",omitempty"`
	CountryCode     string `xml:",omitempty"` // "*" for clients that no other record set is for
	SubdivisionCode string `xml:",omitempty"`
}

// The failover types.
const (
	primary   = "PRIMARY"
	secondary = "SECONDARY"
)

func continents() []string { return []string{"AF", "AN", "AS", "EU", "OC", "NA", "SA"} }

// regionForm is that of region names. AWS has a list of them.
var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// policies returns the routing policies that the fields of a record set are for, as AWS names them in the message about
// record sets of several policies. A simple one has none.
func (r *recordSet) policies() []string {
	var out []string
	for _, p := range []struct {
		name string
		is   bool
	}{
		{"weighted", r.Weight != nil}, {"latency", r.Region != nil}, {"failover", r.Failover != nil}, {"geolocation", r.GeoLocation != nil},
		{"multivalue answer", r.MultiValueAnswer != nil && *r.MultiValueAnswer},
	} {
		if p.is {
			out = append(out, p.name)
		}
	}
	return out
}

// policy takes a record set that was checked.
func (r *recordSet) policy() string {
	if all := r.policies(); len(all) > 0 {
		return all[0]
	}
	return "simple"
}

// place is what latency, failover and geolocation record sets with the same name and type differ in; "" for other ones.
func (r *recordSet) place() string {
	switch {
	case r.Region != nil:
		return *r.Region
	case r.Failover != nil:
		return *r.Failover
	case r.GeoLocation != nil:
		return strings.Join([]string{r.GeoLocation.ContinentCode, r.GeoLocation.CountryCode, r.GeoLocation.SubdivisionCode}, "/")
	}
	return ""
}

// checkPolicy returns an error for fields of routing policies that do not go together.
func (ch *recordChange) checkPolicy() error {
	r := &ch.ResourceRecordSet
	const fields = "[Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig]"
	n := len(r.policies())
	switch {
	case n > 1:
		return ch.wrong("Expected exactly one of %s, but found more than one", fields)
	case n == 1 && r.SetIdentifier == nil:
		return ch.wrong("Missing field 'SetIdentifier'")
	case n == 0 && r.SetIdentifier != nil:
		return ch.wrong("Expected exactly one of %s, but found none", fields)
	case r.GeoLocation != nil:
		return ch.checkLocation()
	}
	return nil
}

// checkLocation checks what the API reference demands of a location. The words of AWS are not known.
func (ch *recordChange) checkLocation() error {
	at := ch.ResourceRecordSet.GeoLocation
	switch {
	case at.ContinentCode == "" && at.CountryCode == "":
		return ch.wrong("Expected exactly one of [ContinentCode, or CountryCode], but found none")
	case at.ContinentCode != "" && (at.CountryCode != "" || at.SubdivisionCode != ""):
		return ch.wrong("Expected exactly one of [ContinentCode, or CountryCode], but found more than one")
	}
	return nil
}

// checkPolicyRanges checks the values of the fields of routing policies.
func (r *recordSet) checkPolicyRanges(at string) error {
	switch {
	case r.Region != nil && !regionForm.MatchString(*r.Region):
		return violation(*r.Region, at+"region", "satisfy enum value set") // followed by a list of all regions
	case r.Failover != nil && !slices.Contains([]string{primary, secondary}, *r.Failover):
		return violation(*r.Failover, at+"failover", "satisfy enum value set: [PRIMARY, SECONDARY]")
	case r.GeoLocation == nil:
		return nil
	}
	location := *r.GeoLocation
	switch {
	case location.ContinentCode != "" && !slices.Contains(continents(), location.ContinentCode):
		return noLocation(location)
	case location.CountryCode != "" && location.CountryCode != "*" && len(location.CountryCode) != 2:
		return noLocation(location)
	}
	return nil
}

// noLocation is the error for a code that is none. The words of AWS are not known, and it knows all codes.
func noLocation(at geoLocation) error {
	return invalidInput("Invalid geographic location: ContinentCode '%s', CountryCode '%s'", at.ContinentCode, at.CountryCode)
}

// checkPolicy checks a record set against the rules of its routing policy, and against the others with its name and type.
func (b *batch) checkPolicy(r *recordSet, others []*recordSet) {
	switch {
	case r.Failover != nil && *r.Failover == primary && r.AliasTarget == nil && r.HealthCheckID == "":
		b.problem("A non-alias primary ResourceRecordSet must have an associated health check.")
	case r.MultiValueAnswer != nil && *r.MultiValueAnswer && r.AliasTarget != nil: // the words of AWS are not known
		b.problem("%s cannot be created as a multivalue answer set cannot be an alias.", r.named())
	}
	for _, o := range others {
		switch {
		case o.policy() != r.policy():
			b.problem("%s cannot be created as a non-%s set exists with the same name and type.", r.named(), r.policy())
		case r.place() != "" && o.place() == r.place():
			b.problem("%s", r.sameplace())
		}
	}
}

// sameplace returns the message about two record sets for the same clients. That of latency is AWS's; the words of the
// others are not known.
func (r *recordSet) sameplace() string {
	if r.Region != nil {
		return fmt.Sprintf("%s, and Region Name=%s cannot be created because a latency RRSet with the same name, type and region already exists.", r.named(), *r.Region)
	}
	what := map[string]string{"failover": "failover type", "geolocation": "geolocation"}[r.policy()]
	return fmt.Sprintf("%s cannot be created because a %s RRSet with the same name, type and %s already exists.", r.named(), r.policy(), what)
}

// share returns the weight with which DNS answers with a record set. Nothing is known of where a client is, so each
// latency, geolocation and multivalue answer set has an equal share. A secondary one answers where no other may.
func (r *recordSet) share() int {
	switch {
	case r.Weight != nil:
		return *r.Weight
	case r.Failover != nil && *r.Failover == secondary:
		return 0
	}
	return 1
}
