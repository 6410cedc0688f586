package golden

import "testing"

func TestApply(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		replacements []Replacement
		want         string
	}{
		"no replacement":          {"as it was", nil, "as it was"},
		"the longest value first": {"8080/x 8080", []Replacement{Replace("8080", "<port>"), Replace("8080/x", "<path>")}, "<path> <port>"},
		"an empty value":          {"text", []Replacement{Replace("", "<x>")}, "text"},
		"patterns after values":   {"in 12ms at 12ms", []Replacement{ReplacePattern(`(in) \d+ms`, "$1 <took>"), Replace("at 12ms", "<at>")}, "in <took> <at>"},
		"values that differ from run to run": {
			"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/73e2d6bc24d8a067 at http://127.0.0.1:40001 since 2026-01-02T12:00:00Z", Volatile(),
			"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/blue/<id> at http://127.0.0.1:<port> since <time>",
		},
		"every occurrence of both": {"x 1 x 2", []Replacement{Replace("x", "y"), ReplacePattern(`\d`, "n")}, "y n y n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := apply(c.text, c.replacements); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"TestSwitch_rollback/a_gate":   "TestSwitch_rollback/a_gate",
		`TestSwitch/100_%_"blue":a<b>`: "TestSwitch/100____blue__a_b_",
	} {
		if got := fileName(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	Check(t, "a listener <at http://127.0.0.1:8080>\n", Replace("8080", "<port>"))
	CheckPart(t, "second part", "another text")
}

func TestRecord(t *testing.T) {
	for _, text := range []string{"first at 127.0.0.1:40001", "second"} {
		Record(t, text, Volatile()...)
	}
}
