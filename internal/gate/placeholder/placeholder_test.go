package placeholder_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func group(environment, version, entry string) traffic.Backend {
	return traffic.Backend{Entry: entry, Environment: environment, Version: version,
		Group: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/" + environment + "-" + entry + "/0123456789abcdef"}
}

func release() rollout.GateInput {
	return rollout.GateInput{Incoming: []traffic.Backend{group("green", "1.5.0", "web")}, Live: []traffic.Backend{group("blue", "1.4.0", "web")}}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	two := release()
	two.Incoming = append(two.Incoming, group("green", "1.5.0", "api"))
	for _, c := range []struct {
		text, want string
		in         rollout.GateInput
		escape     func(string) string
	}{
		{text: "no placeholder, { } and ${env}", want: "no placeholder, { } and ${env}"},
		{text: "{{incoming.environment}} {{ incoming.version }}", want: "green 1.5.0"},
		{text: "{{live.environment}} {{live.version}}", want: "blue 1.4.0"},
		{text: "{{incoming.target_group}}", want: "targetgroup/green-web/0123456789abcdef"},
		{text: "{{live.target_group.web}}", want: "targetgroup/blue-web/0123456789abcdef"},
		{text: "{{incoming.version}}", want: "1.5.0", in: two},
		{text: "{{incoming.target_group.api}}", want: "targetgroup/green-api/0123456789abcdef", in: two},
		{text: "{{incoming.environment}}", want: "shop", in: rollout.GateInput{Incoming: []traffic.Backend{{Environment: "shop", Group: "shop:8080"}}}},
		{text: `up{version="{{incoming.version}}"}`, want: `up{version="a\"} or \\d"}`, escape: placeholder.InQuotes,
			in: rollout.GateInput{Incoming: []traffic.Backend{{Version: `a"} or \d`}}}},
		{text: "https://h/{{incoming.version}}?v={{incoming.version}}", want: "https://h/a%2F%20%2B%26?v=a%2F%20%2B%26", escape: placeholder.InURL,
			in: rollout.GateInput{Incoming: []traffic.Backend{{Version: "a/ +&"}}}},
		{text: "{{incoming.version}}", want: "{{live.version}}", in: rollout.GateInput{Incoming: []traffic.Backend{{Version: "{{live.version}}"}}}},
	} {
		if c.in.Incoming == nil {
			c.in = release()
		}
		if c.escape == nil {
			c.escape = placeholder.Plain
		}
		if got, err := placeholder.Expand(c.text, c.in, c.escape); got != c.want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", c.text, got, err, c.want)
		}
	}
}

func TestExpand_errors(t *testing.T) {
	t.Parallel()
	several := release()
	several.Incoming = append(several.Incoming, group("red", "2.0.0", "web"))
	entries := release()
	entries.Incoming = append(entries.Incoming, group("green", "1.5.0", "api"))
	unversioned := release()
	unversioned.Incoming[0].Version = ""
	first := release()
	first.Live = nil
	for _, c := range []struct {
		text, want string
		in         rollout.GateInput
	}{
		{"{{incoming.environment}}", "{{incoming.environment}} has 2 values: green, red", several},
		{"{{incoming.target_group}}", "{{incoming.target_group}} has 2 values; name the entry point, such as {{incoming.target_group.web}}", entries},
		{"{{incoming.target_group.admin}}", `{{incoming.target_group.admin}}: there is no target group at the entry point "admin"`, entries},
		{"{{incoming.version}}", "{{incoming.version}}: environment green has no version", unversioned},
		{"{{live.version}}", placeholder.ErrNoLive.Error(), first},
		{"{{incoming.version}}", "{{incoming.version}}: no environment gains traffic", rollout.GateInput{Live: first.Incoming}},
	} {
		if _, err := placeholder.Expand(c.text, c.in, placeholder.Plain); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := placeholder.Expand("{{live.target_group}}", first, placeholder.Plain); !errors.Is(err, placeholder.ErrNoLive) {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "{{incoming.environment}}", "{{ live.target_group.web }}", "{ {x} }", `{"a":{"b":1}}`} {
		if err := placeholder.Check(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"{{}}", "{{version}}", "{{incoming}}", "{{incoming.}}", "{{incoming.name}}", "{{incoming.version.web}}", "{{new.version}}", "{{live.target_group.}}", "{{incoming.environment}} {{Live.version}}"} {
		if err := placeholder.Check(bad); err == nil || !strings.HasSuffix(err.Error(),
			"is not a placeholder; use {{incoming.environment}}, {{incoming.version}}, {{incoming.target_group}}, {{live.environment}}, {{live.version}} or {{live.target_group}}") {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestSample(t *testing.T) {
	t.Parallel()
	if got := placeholder.Sample("http://{{incoming.environment}}.example.com/{{live.version}}"); got != "http://x.example.com/x" {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string][2]bool{"a": {}, "{{incoming.version}}": {true, false}, "{{live.version}}": {true, true}, "{{live.x}}": {true, false}} {
		if has, live := placeholder.Has(text), placeholder.HasLive(text); has != want[0] || live != want[1] {
			t.Errorf("%s: got %v and %v", text, has, live)
		}
	}
}
