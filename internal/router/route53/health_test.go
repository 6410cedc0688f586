package route53_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// checked is a record set of blue with a health check.
func checked(kind, check string) string {
	return strings.Replace(weighted(kind, "blue", 1), "<TTL>", "<HealthCheckId>"+check+"</HealthCheckId><TTL>", 1)
}

// aliasOf is an alias record set.
func aliasOf(kind, identifier, dnsName string) string {
	return set(kind, `<SetIdentifier>`+identifier+`</SetIdentifier><Weight>1</Weight><AliasTarget><HostedZoneId>Z2</HostedZoneId><DNSName>`+dnsName+
		`</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>`)
}

// check is a health check of a wire.
type check struct {
	config            string // fields in XML
	success, failures int
	absent            bool // its status has no observations element
}

// healthWire answers with record sets and health checks.
func healthWire(checks map[string]check, sets ...string) *wire {
	return &wire{answer: func(action string, _ int, req *http.Request) (*http.Response, error) {
		if action == list {
			return listed(sets...)
		}
		id := strings.Split(req.URL.Path, "/")[3]
		c, exists := checks[id]
		if !exists {
			return refusal(http.StatusNotFound, "NoSuchHealthCheck", "A health check with id "+id+" does not exist.")
		}
		if action == "GetHealthCheck" {
			return reply(http.StatusOK, `<GetHealthCheckResponse><HealthCheck><Id>`+id+`</Id><CallerReference>r</CallerReference><HealthCheckConfig>`+
				c.config+`</HealthCheckConfig><HealthCheckVersion>1</HealthCheckVersion></HealthCheck></GetHealthCheckResponse>`)
		}
		if c.absent {
			return reply(http.StatusOK, `<GetHealthCheckStatusResponse></GetHealthCheckStatusResponse>`)
		}
		observation := `<HealthCheckObservation><Region>us-east-1</Region><StatusReport><Status>%s</Status></StatusReport></HealthCheckObservation>`
		return reply(http.StatusOK, `<GetHealthCheckStatusResponse><HealthCheckObservations>`+
			strings.Repeat(fmt.Sprintf(observation, "Success: HTTP Status Code 200, OK"), c.success)+
			strings.Repeat(fmt.Sprintf(observation, "Failure: Connection timed out"), c.failures)+
			`</HealthCheckObservations></GetHealthCheckStatusResponse>`)
	}}
}

func TestHealth_ofHealthChecks(t *testing.T) {
	const tcp = `<Type>TCP</Type>`
	for name, tt := range map[string]struct {
		check check
		want  traffic.Target
	}{
		"all succeed":       {check{config: tcp, success: 16}, traffic.Target{State: traffic.Healthy}},
		"just enough":       {check{config: tcp, success: 3, failures: 13}, traffic.Target{State: traffic.Healthy}}, // 18.75 %
		"exactly 18 %":      {check{config: tcp, success: 9, failures: 41}, traffic.Target{State: traffic.Unhealthy, Reason: "HealthCheck.Failed"}},
		"too few":           {check{config: tcp, success: 2, failures: 14}, traffic.Target{State: traffic.Unhealthy, Reason: "HealthCheck.Failed"}},
		"inverted":          {check{config: tcp + `<Inverted>true</Inverted>`, success: 16}, traffic.Target{State: traffic.Unhealthy, Reason: "HealthCheck.Failed"}},
		"inverted failures": {check{config: tcp + `<Inverted>true</Inverted>`, failures: 16}, traffic.Target{State: traffic.Healthy}},
		"new":               {check{config: tcp}, traffic.Target{State: traffic.Initial, Reason: "HealthCheck.Initial"}},
		"disabled":          {check{config: tcp + `<Disabled>true</Disabled>`, failures: 16}, traffic.Target{State: traffic.Unchecked, Reason: "HealthCheck.Disabled"}},
		"calculated":        {check{config: `<Type>CALCULATED</Type>`, failures: 16}, traffic.Target{State: traffic.Unchecked, Reason: "HealthCheck.NotReadable"}},
		"alarm":             {check{config: `<Type>CLOUDWATCH_METRIC</Type>`, failures: 16}, traffic.Target{State: traffic.Unchecked, Reason: "HealthCheck.NotReadable"}},
	} {
		forward, _ := pair(healthWire(map[string]check{"hc-1": tt.check}, checked("A", "hc-1")), route53.Options{})
		tt.want.ID = "health check hc-1"
		health, err := forward.Health(t.Context(), []string{blue})
		if got := health[blue].Targets; err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, tt.want)
		}
	}
}

func TestHealth_ofDeletedHealthCheck(t *testing.T) {
	forward, _ := pair(healthWire(nil, checked("A", "hc-1")), route53.Options{})
	health, err := forward.Health(t.Context(), []string{blue})
	want := traffic.Target{ID: "health check hc-1", State: traffic.Unknown, Reason: "HealthCheck.DoesNotExist"}
	if got := health[blue].Targets; err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestHealth_incompleteStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forward, _ := pair(healthWire(map[string]check{"hc-1": {config: `<Type>TCP</Type>`, absent: true}}, checked("A", "hc-1")), route53.Options{})
		if health, err := forward.Health(t.Context(), []string{blue}); !errors.Is(err, traffic.ErrIncomplete) {
			t.Errorf("got %v, %v", health, err)
		}
	})
}

// A health check of several record sets is one target, read once, and its configuration is cached.
func TestHealth_sharedHealthCheck(t *testing.T) {
	w := healthWire(map[string]check{"hc-2": {config: `<Type>TCP</Type>`, success: 16}}, checked("A", "hc-2"), checked("AAAA", "hc-2"), weighted("A", "green", 1))
	forward, _ := pair(w, route53.Options{RequestsPerSecond: unlimited})
	for range 2 {
		health, err := forward.Health(t.Context(), []string{blue, green})
		must(t, err)
		if got := health[blue].String(); got != "1 of 1 targets healthy" || len(health[blue].Targets) != 1 {
			t.Errorf("got %s", got)
		}
		want := traffic.Target{ID: "record set green A", State: traffic.Unchecked, Reason: "HealthCheck.None"}
		if got := health[green].Targets; len(got) != 1 || got[0] != want || health[green].CountsCapacity() {
			t.Errorf("got %v", got)
		}
	}
	configs, statuses, lists := 0, 0, 0
	for _, action := range w.actions {
		switch action {
		case "GetHealthCheck":
			configs++
		case "GetHealthCheckStatus":
			statuses++
		case list:
			lists++
		}
	}
	if configs != 1 || statuses != 2 || lists != 2 {
		t.Errorf("%v", w.actions)
	}
}

func TestHealth_ofAliases(t *testing.T) {
	aliasHealth := func(_ context.Context, name string) (traffic.Health, error) {
		if strings.HasPrefix(name, "bad") {
			return traffic.Health{}, traffic.ErrDenied
		}
		return traffic.Health{Targets: []traffic.Target{{ID: "10.0.0.1:80", State: traffic.Healthy}, {ID: "10.0.0.2:80", State: traffic.Unhealthy, Reason: "Target.Timeout"}}}, nil
	}
	w := answerWith(
		aliasOf("A", "blue", "dualstack.Web-1.eu-central-1.elb.amazonaws.com."), aliasOf("AAAA", "blue", "dualstack.web-1.eu-central-1.elb.amazonaws.com."),
		aliasOf("A", "green", "web-2.elb.eu-central-1.amazonaws.com."), aliasOf("A", "cdn", "d111111abcdef8.cloudfront.net."),
		aliasOf("A", "bad", "bad.eu-central-1.elb.amazonaws.com."),
	)
	cdn, bad := zone+"/app.example.com#cdn", zone+"/app.example.com#bad"
	forward, _ := pair(w, route53.Options{AliasHealth: aliasHealth})
	health, err := forward.Health(t.Context(), []string{blue, green, cdn})
	must(t, err)
	if got := health[blue].String(); got != "1 of 2 targets healthy (1 unhealthy: Target.Timeout)" || health[blue].Targets[0].ID != "web-1.eu-central-1.elb.amazonaws.com 10.0.0.1:80" {
		t.Errorf("blue: got %s of %v", got, health[blue].Targets)
	}
	if got := health[green].Targets[1].ID; got != "web-2.elb.eu-central-1.amazonaws.com 10.0.0.2:80" {
		t.Errorf("green: got %q", got)
	}
	want := traffic.Target{ID: "alias d111111abcdef8.cloudfront.net", State: traffic.Unchecked, Reason: "HealthCheck.None"}
	if got := health[cdn].Targets; len(got) != 1 || got[0] != want {
		t.Errorf("cdn: got %v", got)
	}
	if _, err := forward.Health(t.Context(), []string{bad}); !errors.Is(err, traffic.ErrDenied) {
		t.Errorf("got %v", err)
	}
	// An alias of a record of the same zone is none of a load balancer, whatever its name.
	own := strings.Replace(aliasOf("A", "blue", "web.elb.example.com."), "<HostedZoneId>Z2<", "<HostedZoneId>"+zone+"<", 1)
	forward, _ = pair(answerWith(own), route53.Options{AliasHealth: aliasHealth})
	health, err = forward.Health(t.Context(), []string{blue})
	if err != nil || len(health[blue].Targets) != 1 || health[blue].Targets[0].ID != "alias web.elb.example.com" {
		t.Errorf("got %v, %v", health, err)
	}
	// Without a function, the health of load balancers is not known here.
	forward, _ = pair(w, route53.Options{})
	health, err = forward.Health(t.Context(), []string{blue})
	if err != nil || health[blue].Count(traffic.Unchecked) != 1 {
		t.Errorf("got %v, %v", health, err)
	}
}

func TestHealth_againstTheStandIn(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	s := record(types.RRTypeA, "blue", 1)
	s.HealthCheckId = new(d.healthCheck())
	d.change(types.ChangeActionCreate, s)
	group := d.group(appName, "blue")
	for _, healthy := range []bool{true, false} {
		must(t, d.srv.Route53().SetHealth(*s.HealthCheckId, healthy))
		health, err := d.forward.Health(t.Context(), []string{group})
		if err != nil || (health[group].Count(traffic.Healthy) == 1) != healthy {
			t.Errorf("healthy %t: got %v, %v", healthy, health, err)
		}
	}
}
