package route53

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The limits of a change batch and of a record set.
const (
	maxBatchRecords    = 1000
	maxBatchCharacters = 32000
	maxWeight          = 255
	maxTTL             = 1<<31 - 1
	maxIdentifier      = 128
	maxSets            = 100 // of a routing policy with the same name and type
	maxName            = 1024
)

func recordTypes() []string {
	return []string{"SOA", "A", "TXT", "NS", "CNAME", "MX", "NAPTR", "PTR", "SRV", "SPF", "AAAA", "CAA", "DS", "TLSA", "SSHFP", "SVCB", "HTTPS"}
}

// checkInput returns an error for changes that are invalid in any state of the zone.
func checkInput(changes []recordChange) error {
	if len(changes) == 0 {
		return violation("[]", "changeBatch.changes", "have length greater than or equal to 1")
	}
	for i, ch := range changes {
		at := fmt.Sprintf("changeBatch.changes.%d.member.", i+1)
		if !slices.Contains([]string{"CREATE", "DELETE", "UPSERT"}, ch.Action) {
			return violation(ch.Action, at+"action", "satisfy enum value set: [CREATE, DELETE, UPSERT]")
		}
		if err := ch.checkRanges(at + "resourceRecordSet."); err != nil {
			return err
		}
		if err := ch.checkFields(); err != nil {
			return err
		}
	}
	return nil
}

// violation returns the error for a value that its model does not allow.
func violation(value, at, must string) error {
	return invalidInput("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must %s", value, at, must)
}

func (ch *recordChange) checkRanges(at string) error {
	r := &ch.ResourceRecordSet
	switch length := utf8.RuneCountInString(r.identifier()); {
	case r.Name == "" || len(r.Name) > maxName:
		return violation(r.Name, at+"name", fmt.Sprintf("have length between 1 and %d", maxName))
	case !slices.Contains(recordTypes(), r.Type):
		return violation(r.Type, at+"type", "satisfy enum value set: ["+strings.Join(recordTypes(), ", ")+"]")
	case r.SetIdentifier != nil && length == 0:
		return violation("", at+"setIdentifier", "have length greater than or equal to 1")
	case length > maxIdentifier:
		return violation(r.identifier(), at+"setIdentifier", fmt.Sprintf("have length less than or equal to %d", maxIdentifier))
	}
	if err := r.checkPolicyRanges(at); err != nil {
		return err
	}
	if err := checkRange(r.Weight, at+"weight", maxWeight); err != nil {
		return err
	}
	return checkRange(r.TTL, at+"tTL", maxTTL)
}

func checkRange(n *int, at string, limit int) error {
	switch {
	case n == nil:
		return nil
	case *n < 0:
		return violation(fmt.Sprint(*n), at, "have value greater than or equal to 0")
	case *n > limit:
		return violation(fmt.Sprint(*n), at, fmt.Sprintf("have value less than or equal to %d", limit))
	}
	return nil
}

// checkFields returns an error for fields that do not go together.
func (ch *recordChange) checkFields() error {
	r := &ch.ResourceRecordSet
	if err := ch.checkSimulated(); err != nil {
		return err
	}
	const contents = "[AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
	hasRecords := r.TTL != nil && len(r.ResourceRecords) > 0
	switch {
	case r.AliasTarget == nil && !hasRecords:
		return ch.wrong("Expected exactly one of %s, but found none", contents)
	case r.AliasTarget != nil && (r.TTL != nil || len(r.ResourceRecords) > 0):
		return ch.wrong("Expected exactly one of %s, but found more than one", contents)
	}
	return ch.checkPolicy()
}

// checkSimulated rejects what Route 53 has and this package has not.
func (ch *recordChange) checkSimulated() error {
	r := &ch.ResourceRecordSet
	for name, is := range map[string]bool{
		"GeoProximityLocation": r.GeoProximityLocation != nil, "CidrRoutingConfig": r.CidrRoutingConfig != nil,
		"TrafficPolicyInstanceId": r.TrafficPolicyInstanceID != nil,
	} {
		if is {
			return invalidInput("localaws does not simulate %s: record sets are simple, weighted, latency, failover, geolocation or multivalue answer", name)
		}
	}
	return nil
}

// wrong returns the error for a change whose fields do not go together.
func (ch *recordChange) wrong(format string, args ...any) error {
	identifier := "null"
	if ch.ResourceRecordSet.SetIdentifier != nil {
		identifier = ch.ResourceRecordSet.identifier()
	}
	return invalidInput("Invalid request: %s in Change with [Action=%s, Name=%s, Type=%s, SetIdentifier=%s]",
		fmt.Sprintf(format, args...), ch.Action, ch.ResourceRecordSet.Name, ch.ResourceRecordSet.Type, identifier)
}

// checkSize returns the messages about a batch that is too large. An UPSERT counts twice, and an alias as a record.
func checkSize(changes []recordChange) []string {
	records, characters := 0, 0
	for _, ch := range changes {
		times := 1
		if ch.Action == "UPSERT" {
			times = 2
		}
		records += times * max(1, len(ch.ResourceRecordSet.ResourceRecords))
		for _, value := range ch.ResourceRecordSet.values() {
			characters += times * utf8.RuneCountInString(value)
		}
	}
	var out []string
	if records > maxBatchRecords {
		out = append(out, fmt.Sprintf("Number of records limit of %d exceeded.", maxBatchRecords))
	}
	if characters > maxBatchCharacters {
		out = append(out, fmt.Sprintf("Number of characters limit of %d exceeded.", maxBatchCharacters))
	}
	return out
}
