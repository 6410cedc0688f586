package route53_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// mixed has record sets of blue for all types and of green for A only.
func mixed() *wire {
	return answerWith(
		weighted("A", "blue", 30), weighted("A", "green", 70), weighted("AAAA", "blue", 1),
		set("TXT", `<SetIdentifier>texts</SetIdentifier><Weight>1</Weight><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>"a"</Value></ResourceRecord></ResourceRecords>`),
	)
}

func TestCheckGroups(t *testing.T) {
	texts := zone + "/app.example.com#texts"
	for name, tt := range map[string]struct {
		entry traffic.Entry
		want  error
		id    string // missing
	}{
		"all types":      {traffic.Entry{Routes: []string{web, web6}, Groups: []string{blue}}, nil, ""},
		"one type":       {traffic.Entry{Routes: []string{web}, Groups: []string{blue, green}}, nil, ""},
		"no AAAA":        {traffic.Entry{Routes: []string{web, web6}, Groups: []string{blue, green}}, route53.ErrNoRecordSet, ""},
		"missing":        {traffic.Entry{Routes: []string{web}, Groups: []string{blue, zone + "/app.example.com#red"}}, traffic.ErrNotFound, zone + "/app.example.com#red"},
		"of other types": {traffic.Entry{Routes: []string{web}, Groups: []string{texts}}, traffic.ErrNotFound, texts},
		"other name":     {traffic.Entry{Routes: []string{zone + "/api.example.com/A"}, Groups: []string{blue}}, route53.ErrOtherName, ""},
		"malformed":      {traffic.Entry{Routes: []string{web}, Groups: []string{"blue"}}, route53.ErrMalformed, ""},
	} {
		forward, _ := pair(mixed(), route53.Options{})
		err := forward.CheckGroups(t.Context(), tt.entry)
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || tt.id != "" && !isMissing(err, tt.id) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
		if problem, ok := errors.AsType[*route53.GroupError](err); ok && name == "no AAAA" {
			if problem.Group != green || problem.Route != web6 || problem.Error() != "green of app.example.com AAAA: no record set of this type" {
				t.Errorf("got %q about %s behind %s", problem, problem.Group, problem.Route)
			}
		}
	}
}

func TestReferences(t *testing.T) {
	for name, references := range referencesBy(mixed) {
		found, err := references.References(t.Context(), []string{green, blue})
		must(t, err)
		want := []string{
			green + " 70 % of app.example.com A", blue + " 30 % of app.example.com A", blue + " 100 % of app.example.com AAAA",
		}
		var got []string
		for _, r := range found {
			got = append(got, fmt.Sprintf("%s %s of %s", r.Group, r.Share, r.Text))
			if r.Route != web && r.Route != web6 || r.Sticky || r.Narrow {
				t.Errorf("%s: got %+v", name, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got  %q\nwant %q", name, got, want)
		}
		red := zone + "/app.example.com#red"
		if _, err := references.References(t.Context(), []string{blue, red}); !isMissing(err, red) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A group whose record set has weight 0 is on the route, without traffic.
func TestReferences_idle(t *testing.T) {
	forward, _ := pair(answerWith(weighted("A", "blue", 1), weighted("A", "green", 0)), route53.Options{})
	found, err := forward.References(t.Context(), []string{green})
	if err != nil || len(found) != 1 || found[0].CarriesTraffic() || found[0].Route != web {
		t.Errorf("got %+v, %v", found, err)
	}
}

// A record that has a set identifier and another routing policy may send traffic to it.
func TestReferences_otherPolicy(t *testing.T) {
	forward, _ := pair(answerWith(set("A", `<SetIdentifier>blue</SetIdentifier><Region>eu-west-1</Region><TTL>5</TTL>`)), route53.Options{})
	if found, err := forward.References(t.Context(), []string{blue}); !errors.Is(err, route53.ErrNotWeighted) {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestOtherRoutes(t *testing.T) {
	for name, reader := range referencesBy(mixed) {
		for _, tt := range []struct {
			routes, groups []string
			want           string
		}{
			{[]string{web}, []string{blue, green}, "[{" + web6 + " app.example.com AAAA [" + blue + "]}]"},
			{[]string{web}, []string{green}, "[]"},
			{[]string{web, web6}, []string{blue, green}, "[]"},
			{[]string{web6}, []string{green}, "[{" + web + " app.example.com A [" + green + "]}]"},
		} {
			others, err := reader.OtherRoutes(t.Context(), tt.routes, tt.groups)
			if got := fmt.Sprint(others); err != nil || got != tt.want {
				t.Errorf("%s: besides %v: got %s, %v, want %s", name, tt.routes, got, err, tt.want)
			}
		}
	}
}

func TestGroups_haveNoDelays(t *testing.T) {
	w := &wire{answer: func(string, int, *http.Request) (*http.Response, error) {
		return refusal(http.StatusForbidden, "AccessDenied", "")
	}}
	forward, _ := pair(w, route53.Options{})
	delay, err := forward.LongestDelay(t.Context(), []string{blue})
	starts, err2 := forward.SlowStarts(t.Context(), []string{blue})
	if delay != 0 || len(starts) != 0 || err != nil || err2 != nil || len(w.actions) != 0 {
		t.Errorf("got %s, %v, %v, %v", delay, starts, err, err2)
	}
}
