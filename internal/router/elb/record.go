package elb

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A record is a few tags, because ELB limits the length of a value: the key of the
// first is recordPrefix and the id of the shift, those of the others have a suffix. The
// value of each is a list of field=value, separated by spaces.
const (
	recordPrefix = "bluegreen:shift/"
	ownerSuffix  = "/owner"
	fromSuffix   = "/from"
	toSuffix     = "/to"
	goalSuffix   = "/goal"
	reasonSuffix = "/reason"

	maxTagValue = 255 // characters, by ELB's user guide; the API's model says 256

	// noShares is the value of from where the route did not forward.
	noShares = "none"
	// cutMark precedes the hash of a value that was cut. No escaped text contains it.
	cutMark = "++"
)

// recordSuffixes returns the suffixes of all tags of a record.
func recordSuffixes() []string {
	return []string{"", ownerSuffix, fromSuffix, toSuffix, goalSuffix, reasonSuffix}
}

// encodeRecord returns the tags of a record by suffix; without whole, those that change
// during a shift, and the owner: so nobody takes a renewal for the record of nobody after
// the tags were removed.
func encodeRecord(r traffic.Record, whole bool) map[string]string {
	tags := map[string]string{"": fieldsText(
		field{"phase", string(r.Phase), 20}, field{"n", strconv.Itoa(r.Renewal), 12},
		field{"expires", strconv.FormatInt(r.Expires.Unix(), 10), 20}, field{"reached", strconv.Itoa(int(r.Reached)), 6},
		field{"guardian", guardianText(r.Owner.Guardian), 31}, field{"answers", r.Answers, 60})}
	if reason := strings.TrimSpace(r.Reason); reason != "" {
		tags[reasonSuffix] = escapeBut(" =", reason, maxTagValue)
	}
	tags[ownerSuffix] = fieldsText(field{"switch", r.Switch, 12}, field{"routes", strconv.Itoa(r.Routes), 4},
		field{"user", r.Owner.User, 32}, field{"host", r.Owner.Host, 40}, field{"boot", r.Owner.Boot, 12},
		field{"pid", strconv.Itoa(r.Owner.PID), 10}, field{"start", r.Owner.Start, 20}, field{"run", r.Owner.Run, 70})
	if !whole {
		return tags
	}
	tags[goalSuffix] = fieldsText(field{"goal", r.Goal, 12}, field{"retry", r.Retry, 12},
		field{"environment", r.Environment, 80}, field{"version", r.Version, 100})
	tags[fromSuffix], tags[toSuffix] = sharesText(r.From), sharesText(r.To)
	return tags
}

// guardianText is the process of a guardian, such as 4711:98765.
func guardianText(p traffic.Process) string {
	if p.PID == 0 {
		return ""
	}
	return strconv.Itoa(p.PID) + ":" + p.Start
}

func guardianOf(text string) traffic.Process {
	pid, start, _ := strings.Cut(text, ":")
	n, err := strconv.Atoi(pid)
	if err != nil {
		return traffic.Process{}
	}
	return traffic.Process{PID: n, Start: start}
}

// field is a field of a tag's value, with the maximum length of its escaped text.
type field struct {
	name, value string
	most        int
}

func fieldsText(fields ...field) string {
	var parts []string
	for _, f := range fields {
		if f.value != "" {
			parts = append(parts, f.name+"="+escape(f.value, f.most))
		}
	}
	return strings.Join(parts, " ")
}

// sharesText is shares by group key: "0a1b2c3d4e5f=950 5f4e3d2c1b0a=50".
func sharesText(shares map[string]shift.Share) string {
	if shares == nil {
		return noShares
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(shares)) {
		if shares[key] > 0 {
			parts = append(parts, key+"="+strconv.Itoa(int(shares[key])))
		}
	}
	return strings.Join(parts, " ")
}

// escape returns text in the characters that ELB allows in a tag, without space, "=" and
// "+": each byte of any other character is "+" and two hexadecimal digits. Text that
// becomes longer than most is cut and ends with cutMark and its hash, see SameValue.
func escape(text string, most int) string { return escapeBut("", text, most) }

// escapeBut is escape that keeps some more characters, in a value that is no list of fields.
func escapeBut(keep, text string, most int) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._:/@"+keep, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "+%02X", c)
		}
	}
	escaped := b.String()
	if len(escaped) <= most {
		return escaped
	}
	hash := traffic.GroupKey(text)
	n := most - len(cutMark) - len(hash)
	for range 2 { // never half of an escaped byte
		if i := strings.LastIndexByte(escaped[:max(n, 0)], '+'); i >= 0 && i > n-3 {
			n = i
		}
	}
	if n <= 0 {
		return hash[:min(most, len(hash))]
	}
	return escaped[:n] + cutMark + hash
}

// unescape is the inverse of escape. A cut mark stays, as traffic.CutMark.
func unescape(text string) string {
	text, hash, cut := strings.Cut(text, cutMark)
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '+' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	if cut {
		return strings.ToValidUTF8(b.String(), "") + traffic.CutMark + hash
	}
	return b.String()
}

// decodeRecords returns the records in the tags of a route, in the order of their ids.
// Fields that it does not know, or that are not valid, are ignored: a newer version may
// have written them.
func decodeRecords(tags map[string]string) []traffic.Record {
	found := map[string]map[string]string{} // by id and suffix
	for key, value := range tags {
		rest, is := strings.CutPrefix(key, recordPrefix)
		if !is {
			continue
		}
		id, suffix, has := strings.Cut(rest, "/")
		if has {
			suffix = "/" + suffix
		}
		if found[id] == nil {
			found[id] = map[string]string{}
		}
		found[id][suffix] = value
	}
	var records []traffic.Record
	for _, id := range slices.Sorted(maps.Keys(found)) {
		record := decodeRecord(id, found[id])
		for _, verb := range traffic.Verbs() {
			if r, ok := decodeRequest(verb, tags); ok && r.Shift == id {
				record.Requests = append(record.Requests, r)
			}
		}
		records = append(records, record)
	}
	return records
}

func decodeRecord(id string, values map[string]string) traffic.Record {
	main, owner, goal := fieldsOf(values[""]), fieldsOf(values[ownerSuffix]), fieldsOf(values[goalSuffix])
	number := func(text string) int { n, _ := strconv.Atoi(text); return n }
	expires, _ := strconv.ParseInt(main["expires"], 10, 64)
	return traffic.Record{
		Shift: id, Switch: owner["switch"], Routes: number(owner["routes"]),
		Owner: traffic.Owner{User: owner["user"], Host: owner["host"], Boot: owner["boot"], PID: number(owner["pid"]), Start: owner["start"], Run: owner["run"],
			Guardian: guardianOf(main["guardian"])},
		Phase: traffic.Phase(main["phase"]), Renewal: number(main["n"]), Expires: time.Unix(expires, 0).UTC(), Reached: shift.Share(number(main["reached"])),
		Answers: main["answers"], Goal: goal["goal"], Retry: goal["retry"], Environment: goal["environment"], Version: goal["version"],
		Reason: unescape(values[reasonSuffix]), From: sharesOf(values[fromSuffix]), To: sharesOf(values[toSuffix]),
	}
}

func fieldsOf(text string) map[string]string {
	fields := map[string]string{}
	for part := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = unescape(value)
	}
	return fields
}

func sharesOf(text string) map[string]shift.Share {
	if text == noShares || text == "" {
		return nil
	}
	shares := map[string]shift.Share{}
	for key, value := range fieldsOf(text) {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || shift.Share(n) > shift.Full || escape(key, maxTagValue) != key {
			return nil
		}
		if n > 0 {
			shares[key] = shift.Share(n)
		}
	}
	if len(shares) == 0 {
		return nil
	}
	return shares
}
