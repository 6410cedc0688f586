// Package golden compares user-facing text with files under testdata/golden, so
// that wording can be improved in one sweep and reviewed as one diff. Run the
// tests with -update (or make golden) to rewrite the files, and read the diff.
package golden

import (
	"cmp"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gotest.tools/v3/golden"
)

// Replacement puts a placeholder in place of a part of the text that differs
// from run to run, such as a port or a generated ARN.
type Replacement struct {
	placeholder string
	value       string
	pattern     *regexp.Regexp
}

// Replace replaces every occurrence of value with placeholder.
func Replace(value, placeholder string) Replacement {
	return Replacement{placeholder: placeholder, value: value}
}

// ReplacePattern replaces every match of pattern with placeholder, which may
// refer to submatches ("$1"). It is for values that the test cannot know, such
// as a duration that was measured.
func ReplacePattern(pattern, placeholder string) Replacement {
	return Replacement{placeholder: placeholder, pattern: regexp.MustCompile(pattern)}
}

// Volatile replaces what differs from run to run in most texts: the ids in ARNs,
// ports on the loopback address, RFC 3339 timestamps, and the shift in the name of
// its owner, with the user, the host and, in CI, the run.
func Volatile() []Replacement {
	return []Replacement{
		ReplacePattern(`\b[0-9a-f]{16}\b`, "<id>"),
		ReplacePattern(`\bshift \d{8}T\d{6}Z-[0-9a-f]{4}( of \S+ on \S+?( \([^)]*\))?)?,`, "shift <shift> of <user> on <host>,"),
		ReplacePattern(`\b127\.0\.0\.1:\d+`, "127.0.0.1:<port>"),
		ReplacePattern(`\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z`, "<time>"),
	}
}

// Check compares got with testdata/golden/<name of the test>.txt.
func Check(t *testing.T, got string, replacements ...Replacement) {
	t.Helper()
	check(t, t.Name(), got, replacements)
}

// CheckPart compares got with testdata/golden/<name of the test>/<part>.txt. It
// is for tests that see more than one text.
func CheckPart(t *testing.T, part, got string, replacements ...Replacement) {
	t.Helper()
	check(t, t.Name()+"/"+part, got, replacements)
}

// Record adds a text to the transcript of the test, which is compared with
// testdata/golden/<name of the test>.txt when the test ends. It is for tests that see
// many short texts in a fixed order.
func Record(t *testing.T, text string, replacements ...Replacement) {
	t.Helper()
	transcripts.Lock()
	defer transcripts.Unlock()
	if _, known := transcripts.of[t]; !known {
		t.Cleanup(func() {
			transcripts.Lock()
			all := strings.Join(transcripts.of[t], "\n")
			delete(transcripts.of, t)
			transcripts.Unlock()
			check(t, t.Name(), all, nil)
		})
	}
	transcripts.of[t] = append(transcripts.of[t], apply(text, replacements))
}

var transcripts = struct {
	sync.Mutex
	of map[*testing.T][]string
}{of: map[*testing.T][]string{}}

// Update reports whether the run rewrites the files instead of comparing.
func Update() bool { return golden.FlagUpdate() }

func check(t *testing.T, name, got string, replacements []Replacement) {
	t.Helper()
	golden.Assert(t, strings.TrimRight(apply(got, replacements), "\n")+"\n", filepath.Join("golden", fileName(name)+".txt"))
}

// apply replaces values longest first, because an ARN may be part of another
// one, and patterns last.
func apply(text string, replacements []Replacement) string {
	ordered := slices.SortedStableFunc(slices.Values(replacements), func(a, b Replacement) int {
		return cmp.Compare(len(b.value), len(a.value))
	})
	for _, r := range ordered {
		switch {
		case r.pattern != nil:
			text = r.pattern.ReplaceAllString(text, r.placeholder)
		case r.value != "":
			text = strings.ReplaceAll(text, r.value, r.placeholder)
		}
	}
	return text
}

// fileName keeps the characters that every file system and a module's zip file
// accept, and the slashes between a test and its subtests.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_-./", r):
			return r
		}
		return '_'
	}, name)
}
