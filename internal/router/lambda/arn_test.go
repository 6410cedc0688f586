package lambda_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
)

func TestParse(t *testing.T) {
	const other = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:my_fn-2"
	for text, c := range map[string]struct {
		kind  lambda.Kind
		label string
	}{
		live:                    {lambda.Alias, "alias live of shop"},
		version(12):             {lambda.Version, "shop:12"},
		function:                {lambda.Unqualified, "function shop"},
		function + ":$LATEST":   {lambda.Latest, "shop:$LATEST"},
		other + ":blue-green_2": {lambda.Alias, "alias blue-green_2 of my_fn-2"},
		other + ":1a":           {lambda.Alias, "alias 1a of my_fn-2"},
	} {
		a, err := lambda.Parse(text)
		if err != nil || a.Kind() != c.kind || a.String() != text || lambda.Label(text) != c.label {
			t.Errorf("%s is parsed as %+v (%s, %s), %v", text, a, a.Kind(), lambda.Label(text), err)
		}
		_, route := lambda.ParseRoute(text)
		_, group := lambda.ParseGroup(text)
		if (route == nil) != (c.kind == lambda.Alias) || (group == nil) != (c.kind == lambda.Version) {
			t.Errorf("%s: as a route %v, as a group %v", text, route, group)
		}
		for _, err := range []error{route, group} {
			if err != nil && !errors.Is(err, lambda.ErrWrongKind) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	for _, text := range []string{
		"", "live", "shop:live", live + "\n", " " + live, live + ":1", function + ":", function + ":0", function + ":012", function + ":a b",
		strings.Replace(live, ":lambda:", ":sns:", 1), strings.Replace(live, ":function:", ":layer:", 1), strings.Replace(live, "123456789012", "1234", 1),
		"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067",
	} {
		if _, err := lambda.Parse(text); !errors.Is(err, lambda.ErrMalformed) || lambda.Label(text) != text {
			t.Errorf("%q: %v, %s", text, err, lambda.Label(text))
		}
	}
}

func TestGroup(t *testing.T) {
	test := function + ":test"
	if group, err := lambda.Group([]string{live, test}, "12"); err != nil || group != version(12) || lambda.VersionOf(group) != "12" {
		t.Errorf("got %s, %v", group, err)
	}
	for name, c := range map[string]struct {
		routes  []string
		version string
		want    error
	}{
		"other function": {[]string{live, "arn:aws:lambda:eu-central-1:123456789012:function:cart:live"}, "12", lambda.ErrOtherFunction},
		"other account":  {[]string{live, "arn:aws:lambda:eu-central-1:999999999999:function:shop:live"}, "12", lambda.ErrOtherFunction},
		"other region":   {[]string{live, "arn:aws:lambda:eu-west-1:123456789012:function:shop:live"}, "12", lambda.ErrOtherFunction},
		"no route":       {nil, "12", lambda.ErrOtherFunction},
		"unqualified":    {[]string{function}, "12", lambda.ErrWrongKind},
		"second is none": {[]string{live, function}, "12", lambda.ErrWrongKind},
		"malformed":      {[]string{"live"}, "12", lambda.ErrMalformed},
		"$LATEST":        {[]string{live}, "$LATEST", lambda.ErrVersion},
		"name":           {[]string{live}, "live", lambda.ErrVersion},
		"ARN":            {[]string{live}, version(12), lambda.ErrVersion},
		"zero":           {[]string{live}, "0", lambda.ErrVersion},
		"leading zero":   {[]string{live}, "012", lambda.ErrVersion},
		"white space":    {[]string{live}, "12\n", lambda.ErrVersion},
		"empty":          {[]string{live}, "", lambda.ErrVersion},
	} {
		if group, err := lambda.Group(c.routes, c.version); !errors.Is(err, c.want) || group != "" {
			t.Errorf("%s: got %q, %v, want %v", name, group, err, c.want)
		}
	}
	if got := lambda.VersionOf(live); got != "" {
		t.Errorf("the version of an alias is %q", got)
	}
}
