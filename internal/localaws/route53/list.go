package route53

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// maxRecords is the default and the maximum of MaxItems in lists of record sets.
const maxRecords = 300

type listRecordsInput struct {
	HostedZoneID          string `json:"HostedZoneId"`
	StartRecordName       string
	StartRecordType       string
	StartRecordIdentifier string
	MaxItems              string
}

type recordList struct {
	Members []*recordSet `xml:"ResourceRecordSet"`
}

type recordsResult struct {
	ResourceRecordSets   recordList
	IsTruncated          bool
	NextRecordName       string `xml:",omitempty"`
	NextRecordType       string `xml:",omitempty"`
	NextRecordIdentifier string `xml:",omitempty"`
	MaxItems             int    `xml:",omitempty"`
}

// listRecords lists record sets from a name, type and set identifier on.
func listRecords(c *call, in listRecordsInput) (any, error) {
	z, err := c.zone(in.HostedZoneID)
	if err != nil {
		return nil, err
	}
	limit, err := maxItems(in.MaxItems, maxRecords)
	switch {
	case err != nil:
		return nil, err
	// The words of AWS for these two are not known.
	case in.StartRecordType != "" && in.StartRecordName == "":
		return nil, invalidInput("Invalid request: StartRecordType requires StartRecordName")
	case in.StartRecordIdentifier != "" && in.StartRecordType == "":
		return nil, invalidInput("Invalid request: StartRecordIdentifier requires StartRecordName and StartRecordType")
	}
	from := recordKey{kind: in.StartRecordType, id: in.StartRecordIdentifier}
	if in.StartRecordName != "" {
		from.name = normalize(in.StartRecordName)
	}
	out := recordsResult{MaxItems: limit}
	for _, key := range z.sortedKeys() {
		if from.name != "" && compareKeys(key, from) < 0 {
			continue
		}
		if len(out.ResourceRecordSets.Members) == limit {
			out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = true, key.name, key.kind, key.id
			break
		}
		out.ResourceRecordSets.Members = append(out.ResourceRecordSets.Members, z.records[key])
	}
	return out, nil
}

func (z *zone) sortedKeys() []recordKey {
	return slices.SortedFunc(maps.Keys(z.records), compareKeys)
}

// compareKeys sorts by name with the labels in reverse order, then by type, then by set identifier.
func compareKeys(a, b recordKey) int {
	return cmp.Or(strings.Compare(reversed(a.name), reversed(b.name)), strings.Compare(a.kind, b.kind), strings.Compare(a.id, b.id))
}
