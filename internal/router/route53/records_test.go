package route53_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestRead_otherPolicies(t *testing.T) {
	const value = `<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>`
	for policy, fields := range map[string]string{
		"simple":            value,
		"failover":          `<SetIdentifier>blue</SetIdentifier><Failover>PRIMARY</Failover>` + value,
		"latency":           `<SetIdentifier>blue</SetIdentifier><Region>eu-west-1</Region>` + value,
		"geolocation":       `<SetIdentifier>blue</SetIdentifier><GeoLocation><CountryCode>DE</CountryCode></GeoLocation>` + value,
		"geoproximity":      `<SetIdentifier>blue</SetIdentifier><GeoProximityLocation><AWSRegion>eu-west-1</AWSRegion></GeoProximityLocation>` + value,
		"IP-based":          `<SetIdentifier>blue</SetIdentifier><CidrRoutingConfig><CollectionId>c</CollectionId><LocationName>l</LocationName></CidrRoutingConfig>` + value,
		"multivalue answer": `<SetIdentifier>blue</SetIdentifier><MultiValueAnswer>true</MultiValueAnswer>` + value,
		"traffic policy":    `<SetIdentifier>blue</SetIdentifier><Weight>1</Weight><TrafficPolicyInstanceId>t</TrafficPolicyInstanceId>` + value,
	} {
		forward, _ := pair(answerWith(set("A", fields)), route53.Options{})
		states, err := forward.Read(t.Context(), []string{web})
		other, ok := errors.AsType[*route53.NotWeightedError](err)
		if states != nil || !ok || other.Route != web || other.Policy != policy {
			t.Errorf("%s: Read returned %v, %v", policy, states, err)
		}
		if policy == "latency" {
			golden.Record(t, err.Error())
		}
	}
}

// Record sets that all have weight 0 are answered equally often.
func TestRead_allZero(t *testing.T) {
	forward, _ := pair(answerWith(weighted("A", "blue", 0), weighted("A", "green", 0)), route53.Options{})
	states, err := forward.Read(t.Context(), []string{web})
	must(t, err)
	if got := shift.FromRaw(states[0].Weights); !got.Equal(shift.Weights{blue: 500, green: 500}) {
		t.Errorf("got %v", got)
	}
}

// One answer has all types of a name.
func TestRead_oneCallPerName(t *testing.T) {
	w := answerWith(weighted("A", "blue", 3), weighted("AAAA", "blue", 1), weighted("AAAA", "green", 0))
	forward, _ := pair(w, route53.Options{})
	states, err := forward.Read(t.Context(), []string{web6, web})
	must(t, err)
	if len(w.actions) != 1 || !maps.Equal(states[1].Weights, map[string]int{blue: 3}) || !maps.Equal(states[0].Weights, map[string]int{blue: 1}) {
		t.Errorf("%v returned %v", w.actions, states)
	}
	if states[1].Label != "app.example.com A" {
		t.Errorf("got the label %q", states[1].Label)
	}
}

// A name of a hundred weighted record sets and more has several pages.
func TestRead_pages(t *testing.T) {
	w := &wire{answer: func(_ string, n int, req *http.Request) (*http.Response, error) {
		query := req.URL.Query()
		switch {
		case n == 1:
			return reply(http.StatusOK, `<ListResourceRecordSetsResponse><ResourceRecordSets>`+weighted("A", "blue", 1)+
				`</ResourceRecordSets><IsTruncated>true</IsTruncated><NextRecordName>app.example.com.</NextRecordName>`+
				`<NextRecordType>A</NextRecordType><NextRecordIdentifier>green</NextRecordIdentifier></ListResourceRecordSetsResponse>`)
		case query.Get("identifier") != "green" || query.Get("type") != "A" || query.Get("name") != "app.example.com.":
			t.Errorf("the second page was requested with %v", query)
		}
		return reply(http.StatusOK, `<ListResourceRecordSetsResponse><ResourceRecordSets>`+weighted("A", "green", 2)+
			`</ResourceRecordSets><IsTruncated>true</IsTruncated><NextRecordName>www.example.com.</NextRecordName>`+
			`<NextRecordType>A</NextRecordType></ListResourceRecordSetsResponse>`)
	}}
	forward, _ := pair(w, route53.Options{})
	states, err := forward.Read(t.Context(), []string{web})
	must(t, err)
	if len(w.actions) != 2 || !maps.Equal(states[0].Weights, map[string]int{blue: 1, green: 2}) {
		t.Errorf("%d calls returned %v", len(w.actions), states[0].Weights)
	}
}

// An empty answer means that a record does not exist only where the zone has other records.
func TestRead_emptyAnswers(t *testing.T) {
	soa := `<ResourceRecordSet><Name>example.com.</Name><Type>SOA</Type></ResourceRecordSet>`
	for _, tt := range []struct {
		name    string
		answers []string // to the first requests; the last one to all others as well
		want    error
	}{
		{"always empty", []string{""}, traffic.ErrIncomplete},
		{"no record of the name", []string{"", soa, ""}, traffic.ErrNotFound},
		{"records of later names", []string{`<ResourceRecordSet><Name>www.example.com.</Name><Type>A</Type></ResourceRecordSet>`}, traffic.ErrNotFound},
		{"empty once", []string{"", soa, weighted("A", "blue", 1)}, nil},
		{"another type", []string{weighted("AAAA", "blue", 1)}, traffic.ErrNotFound},
		{"a record set without a name", []string{`<ResourceRecordSet><Type>A</Type></ResourceRecordSet>`}, traffic.ErrIncomplete},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: func(_ string, n int, _ *http.Request) (*http.Response, error) {
				return listed(tt.answers[min(n, len(tt.answers))-1])
			}}
			forward, _ := pair(w, route53.Options{})
			_, err := forward.Read(t.Context(), []string{web})
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: Read returned %v, want %v", tt.name, err, tt.want)
			}
			if !errors.Is(tt.want, traffic.ErrNotFound) {
				return
			}
			if id, ok := traffic.Missing(err); !ok || id != web {
				t.Errorf("%s: %q is missing", tt.name, id)
			}
		})
	}
}

func TestRestore(t *testing.T) {
	full := set("A", `<SetIdentifier>blue</SetIdentifier><Weight>7</Weight><HealthCheckId>hc-1</HealthCheckId><AliasTarget>`+
		`<HostedZoneId>Z2</HostedZoneId><DNSName>dualstack.web-1.eu-central-1.elb.amazonaws.com.</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>`)
	forward, _ := pair(answerWith(full, weighted("A", "green", 1)), route53.Options{})
	states, err := forward.Read(t.Context(), []string{web})
	must(t, err)
	before, err := route53.Command(web, states[0])
	must(t, err)
	text, err := json.Marshal(states[0])
	must(t, err)
	var s traffic.State
	must(t, json.Unmarshal(text, &s))
	if _, err := route53.Command(web, s); !errors.Is(err, route53.ErrInvalid) {
		t.Errorf("without Restore the state is usable: %v", err)
	}
	must(t, route53.Restore(&s))
	after, err := route53.Command(web, s)
	must(t, err)
	if before != after {
		t.Errorf("got  %s\nwant %s", after, before)
	}
	golden.Record(t, after)
	none := traffic.State{}
	if err := route53.Restore(&none); err != nil || none.Raw != nil {
		t.Errorf("Restore of a state without Raw returned %v, %v", none.Raw, err)
	}
}

func TestRead_cached(t *testing.T) {
	alias := set("A", `<SetIdentifier>green</SetIdentifier><Weight>1</Weight><AliasTarget><HostedZoneId>Z2</HostedZoneId>`+
		`<DNSName>web.example.com.</DNSName><EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget>`)
	short := set("A", `<SetIdentifier>blue</SetIdentifier><Weight>1</Weight><TTL>5</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>`)
	for want, sets := range map[time.Duration][]string{
		60 * time.Second: {alias, short},
		5 * time.Second:  {short},
	} {
		forward, _ := pair(answerWith(sets...), route53.Options{})
		states, err := forward.Read(t.Context(), []string{web})
		must(t, err)
		if got := states[0].Cached; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
