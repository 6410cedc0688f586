package elb

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// FuzzRecord reads tags that anybody may have written, and writes the record again: the tags are such that AWS takes
// them, and say the same when they are read a second time.
func FuzzRecord(f *testing.F) {
	f.Add("open n=3 expires=1793352615", "switch=ab12 user=ci pid=7", "goal=x environment=green version=1.5.0", "blue=1000", "blue=500 green=500", "gate users failed")
	f.Add("phase=rejected n=-1 expires=99999999999999999999", "user=+", "version=+C3++0123456789ab", "none", "blue=1001", "a+2")
	f.Fuzz(func(t *testing.T, main, owner, goal, from, to, reason string) {
		values := map[string]string{"": main, ownerSuffix: owner, goalSuffix: goal, fromSuffix: from, toSuffix: to, reasonSuffix: reason}
		tags := map[string]string{}
		for suffix, value := range values {
			tags[recordPrefix+"s1"+suffix] = value
		}
		records := decodeRecords(tags)
		if len(records) != 1 || records[0].Shift != "s1" {
			t.Fatalf("%v became %+v", tags, records)
		}
		record := records[0]
		traffic.MergeRecords(map[string][]traffic.Record{"web": records})
		first := encodeRecord(record, true)
		for suffix, value := range first {
			if suffix != fromSuffix && suffix != toSuffix && len(value) > maxTagValue || strings.ContainsFunc(value, func(c rune) bool { return c > 'z' || c < ' ' }) {
				t.Errorf("tag %q has %q", suffix, value)
			}
		}
		if utf8.ValidString(record.Reason) != utf8.ValidString(reason) && utf8.ValidString(reason) && !strings.Contains(reason, "+") {
			t.Errorf("%q became %q", reason, record.Reason)
		}
		if again := encodeRecord(decodeRecord("s1", first), true); !maps.EqualFunc(first, again, traffic.SameValue) {
			t.Errorf("%q became %q", first, again)
		}
	})
}
