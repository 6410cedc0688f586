package elb

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestEscape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a+= ü%\n")))).Draw(t, "text")
		most := rapid.IntRange(20, 60).Draw(t, "most")
		escaped := escape(text, most)
		if len(escaped) > most {
			t.Fatalf("%q became %q, longer than %d", text, escaped, most)
		}
		for _, c := range escaped {
			if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("+-._:/@", c) {
				t.Fatalf("%q became %q, with %q", text, escaped, c)
			}
		}
		back := unescape(escaped)
		if !traffic.SameValue(back, text) || traffic.SameValue(back, text+"x") || utf8.ValidString(text) && !utf8.ValidString(back) {
			t.Fatalf("%q became %q, then %q", text, escaped, back)
		}
	})
}

func TestDecodeRecords_ignoresWhatItDoesNotKnow(t *testing.T) {
	got := decodeRecords(map[string]string{"Name": "web", "bluegreen:shift/s1": "phase=later n=x expires=never future=1", "bluegreen:shift/s1/more": "x=1",
		"bluegreen:shift/s1/from": "abc=many", "bluegreen:request/approve": "s1"})
	if len(got) != 1 || got[0].Shift != "s1" || got[0].Phase != "later" || got[0].From != nil || got[0].IsOpen() {
		t.Errorf("got %+v", got)
	}
}
