package provider_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// dnsSite is a hosted zone with weighted records of app.example.com, of which blue has all the traffic.
type dnsSite struct {
	*bench
	dns  *route53.Client
	zone string
}

func newDNSSite(t *testing.T, options ...localaws.Option) *dnsSite {
	t.Helper()
	s := &dnsSite{bench: newBench(t, options...)}
	s.dns = route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: new(s.srv.URL()), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")})
	s.zone = s.createZone("example.com")
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		s.set(s.record(kind, "blue", 100), s.record(kind, "green", 0))
	}
	return s
}

func (s *dnsSite) createZone(name string) (id string) {
	s.t.Helper()
	out, err := s.dns.CreateHostedZone(s.t.Context(), &route53.CreateHostedZoneInput{Name: &name, CallerReference: &name})
	s.must(err)
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
}

// otherPolicies returns what sets a routing policy that cannot be shifted.
func otherPolicies() map[string]func(*types.ResourceRecordSet) {
	return map[string]func(*types.ResourceRecordSet){
		"latency":     func(r *types.ResourceRecordSet) { r.Region = types.ResourceRecordSetRegionEuWest1 },
		"geolocation": func(r *types.ResourceRecordSet) { r.GeoLocation = &types.GeoLocation{CountryCode: new("*")} },
		"failover":    func(r *types.ResourceRecordSet) { r.Failover = types.ResourceRecordSetFailoverSecondary },
		"multivalue":  func(r *types.ResourceRecordSet) { r.MultiValueAnswer = new(true) },
	}
}

// record returns a weighted record of app.example.com, whose TTL is one second.
func (s *dnsSite) record(kind types.RRType, identifier string, weight int64) types.ResourceRecordSet {
	address := map[types.RRType]string{types.RRTypeA: "127.0.0.1", types.RRTypeAaaa: "::1"}[kind]
	return types.ResourceRecordSet{Name: new("app.example.com"), Type: kind, SetIdentifier: &identifier, Weight: &weight, TTL: new(int64(1)),
		ResourceRecords: []types.ResourceRecord{{Value: &address}}}
}

// set creates or replaces records.
func (s *dnsSite) set(records ...types.ResourceRecordSet) {
	s.t.Helper()
	batch := &types.ChangeBatch{}
	for _, r := range records {
		batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &r})
	}
	_, err := s.dns.ChangeResourceRecordSets(s.t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &s.zone, ChangeBatch: batch})
	s.must(err)
}

// weights returns the weights of the records of a type by set identifier.
func (s *dnsSite) weights(kind types.RRType) map[string]int64 {
	s.t.Helper()
	out, err := s.dns.ListResourceRecordSets(s.t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &s.zone})
	s.must(err)
	found := map[string]int64{}
	for _, r := range out.ResourceRecordSets {
		if r.Type == kind && r.SetIdentifier != nil {
			found[*r.SetIdentifier] = aws.ToInt64(r.Weight)
		}
	}
	return found
}

// mustHaveAll checks that all records of an environment have all the traffic.
func (s *dnsSite) mustHaveAll(environment string) {
	s.t.Helper()
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		for name, n := range s.weights(kind) {
			if (n > 0) != (name == environment) {
				s.t.Errorf("%s of %s has weight %d", name, kind, n)
			}
		}
	}
}

// release is a configuration with two environments.
type dnsRelease struct {
	*dnsSite
	active, strategy, gates, environments, lifecycle string
}

func (s *dnsSite) release(active string) dnsRelease {
	return dnsRelease{dnsSite: s, active: active, strategy: `steps = [{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`,
		environments: `{ blue = "1.0", green = "1.1" }`, lifecycle: "create_before_destroy = true"}
}

func (r dnsRelease) String() string {
	return settings(r.bench, "") + fmt.Sprintf(`
resource "bluegreen_environment" "app" {
  for_each  = %[2]s
  name      = each.key
  version   = each.value
  records   = { web = each.key }
  backed_by = []
  lifecycle {
    %[6]s
  }
}

resource "bluegreen_switch" "web" {
  route53 {
    routes = { web = ["%[1]s/app.example.com/A", "%[1]s/app.example.com/AAAA"] }
  }
  environments = bluegreen_environment.app
  active       = %[3]q
  strategy {
    settle = "1ms"
    %[4]s
  }
  health {
    steady_for = "1ms"
  }
  %[5]s
}
`, r.zone, r.environments, r.active, r.strategy, r.gates, r.lifecycle)
}

// A release of weighted records: steps, one batch for all records of a step, and a revert.
func TestRecords_release(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t, localaws.WithRecordPropagation(50*time.Millisecond)), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHaveAll("blue")
	w.write(s.release("green").String())
	w.plan().ok()
	w.scheduleIs("schedule")
	mark := len(s.srv.Calls())
	w.applyPlan().ok()
	s.mustHaveAll("green")
	batches := 0
	for _, call := range s.srv.Calls()[mark:] {
		if call.Action == "ChangeResourceRecordSets" {
			batches++
		}
	}
	if batches != 3 {
		t.Errorf("%d batches for 3 steps", batches)
	}
	w.isEmpty()
	w.write(s.release("blue").String())
	w.apply().ok()
	s.mustHaveAll("blue")

	r := s.release("blue")
	r.environments = `{ blue = "1.0" }`
	w.write(r.String())
	w.apply().ok()
	if got, want := s.weights(types.RRTypeA), map[string]int64{"blue": 1, "green": 0}; (got["blue"] == 0) != (want["blue"] == 0) || !maps.Equal(map[string]int64{"green": got["green"]}, map[string]int64{"green": 0}) {
		t.Errorf("the weights are %v", got)
	}
	w.isEmpty()
}

// What is wrong with records is said at plan where it is known, and otherwise before anything is written.
func TestRecords_badInput(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	plain := s.record(types.RRTypeA, "", 0)
	plain.SetIdentifier, plain.Weight, plain.Name = nil, nil, new("simple.example.com")
	s.set(plain)
	for name, change := range otherPolicies() {
		r := s.record(types.RRTypeA, "one", 0)
		r.Name, r.Weight = new(name+".example.com"), nil
		change(&r)
		s.set(r)
	}
	second := s.createZone("example.org")
	other := func(name string) func(string) string {
		return replaceAll("app.example.com/A\", ", name+".example.com/A\"], web6 = [", "{ web = each.key }", "{ web = each.key, web6 = each.key }")
	}
	for _, c := range []struct {
		name   string
		change func(text string) string
	}{
		{"not weighted", other("simple")},
		{"latency", other("latency")},
		{"geolocation", other("geolocation")},
		{"failover", other("failover")},
		{"multivalue", other("multivalue")},
		{"no such zone", replaceAll(s.zone, "Z0000000000000")},
		{"two names", replace("app.example.com/AAAA", "www.example.com/AAAA")},
		{"two zones", replace(s.zone+"/app.example.com/AAAA", second+"/app.example.com/AAAA")},
		{"upper case", replace("app.example.com/AAAA", "App.example.com/AAAA")},
		{"escaped wildcard", replace("app.example.com/AAAA", `\\052.example.com/AAAA`)},
		{"prefix of a zone", replace(s.zone+"/app.example.com/AAAA", "/hostedzone/"+s.zone+"/app.example.com/AAAA")},
		{"long identifier", replace("{ web = each.key }", fmt.Sprintf("{ web = %q }", strings.Repeat("x", 129)))},
		{"other type", replace("app.example.com/AAAA", "app.example.com/TXT")},
		{"trailing dot", replace("app.example.com/AAAA", "app.example.com./AAAA")},
		{"no record id", replace(s.zone+"/app.example.com/AAAA", "app.example.com")},
		{"an ARN", replace(s.zone+"/app.example.com/AAAA", listenerARN)},
		{"identifier with white space", replace("{ web = each.key }", `{ web = each.key == "blue" ? "blue " : each.key }`)},
		{"no identifier", replace("{ web = each.key }", `{ web = "" }`)},
		{"no records", replace("{ web = each.key }", `{}`)},
		{"target groups as well", replace("records   = {", "target_groups = { web = \""+groupARN("blue")+"\" }\n  records = {")},
		{"target groups instead", replace("records   = { web = each.key }", "target_groups = { web = \""+groupARN("blue")+"\" }")},
		{"neither", replace("records   = { web = each.key }", "")},
		{"missing entry point", replace("routes = { web =", `routes = { api = [], web =`)},
		{"step too fine", replace("percent = 5,", "percent = 0.2,")},
		{"weights too fine", replace(`active       = "blue"`, "weights = { blue = 99.9, green = 0.1 }")},
		{"approval", replace("health {", "gate {\n    name = \"people\"\n    approval {}\n  }\n  health {")},
		{"target metrics", replace("health {", "gate {\n    name = \"users\"\n    target_metrics {\n      max_error_rate = 1\n    }\n  }\n  health {")},
		{"two routers", replace("route53 {", "load_balancer {\n    routes = { web = [\""+listenerARN+"\"] }\n  }\n  route53 {")},
	} {
		w.write(c.change(s.release("blue").String()))
		w.plan().failsAs(c.name, s.volatile())
	}
	mark := len(s.srv.Calls())
	for _, c := range []struct {
		name   string
		change func(text string) string
	}{
		{"hold below the TTL", replace(`hold = "1s" }, {`, `hold = "999ms" }, {`)},
		{"no such record", replaceAll("app.example.com", "absent.example.com")},
		{"no such record set", replace("{ web = each.key }", `{ web = "${each.key}-2" }`)},
		{"no such type", replace(", \""+s.zone+"/app.example.com/AAAA\"", ", \""+s.zone+"/app.example.com/CNAME\"")},
	} {
		w.write(c.change(s.release("green").String()))
		w.apply().failsAs(c.name, s.volatile())
	}
	for _, call := range s.srv.Calls()[mark:] {
		if call.Action == "ChangeResourceRecordSets" {
			t.Errorf("%v was written", call.Params)
		}
	}
}

// volatile are what differs between runs.
func (s *dnsSite) volatile() golden.Replacement { return golden.Replace(s.zone, "<zone>") }

func replace(from, to string) func(string) string {
	return func(text string) string {
		if !strings.Contains(text, from) {
			panic("no " + from)
		}
		return strings.Replace(text, from, to, 1)
	}
}

func replaceAll(pairs ...string) func(string) string {
	return strings.NewReplacer(pairs...).Replace
}

// The switch knows the records of an environment, and the environment is protected by what the switch knows.
func TestRecords_protection(t *testing.T) {
	s, w := newDNSSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()

	changed := s.release("blue")
	changed.environments = `{ blue = "1.0.1", green = "1.1" }`
	w.write(changed.String())
	w.plan().failsAs("live version changed")

	idle := s.release("blue")
	idle.environments = `{ blue = "1.0", green = "1.2" }`
	w.write(idle.String())
	w.apply().ok()

	renamed := s.release("cyan")
	renamed.environments = `{ cyan = "1.0", green = "1.2" }`
	w.write(strings.Replace(renamed.String(), "{ web = each.key }", `{ web = each.key == "cyan" ? "blue" : each.key }`, 1))
	w.apply().ok() // the new environment has the records
	s.mustHaveAll("blue")

	w.terraform("destroy", "-json", "-auto-approve").failsAs("destroy", s.volatile())
	s.mustHaveAll("blue")
	t.Setenv("BLUEGREEN_ALLOW_DESTROY", "1")
	w.terraform("destroy", "-json", "-auto-approve").ok()
	s.mustHaveAll("blue")
}

// Without create_before_destroy Terraform destroys an environment before it updates the switch: nothing knows
// whether it has traffic.
func TestRecords_destroyedFirst(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	r := s.release("blue")
	r.lifecycle = ""
	w.write(r.String())
	w.apply().ok()
	r.environments = `{ blue = "1.0" }`
	w.write(r.String())
	w.apply().failsAs("error")
	r.environments, r.lifecycle = `{ blue = "1.0", green = "1.1" }`, "create_before_destroy = true"
	w.write(r.String())
	w.apply().ok()
	r.environments = `{ blue = "1.0" }`
	w.write(r.String())
	w.apply().ok()
	s.mustHaveAll("blue")
}

// A switch, an environment and the data source find records that others manage.
func TestRecords_import(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	w.write(s.release("blue").String() + fmt.Sprintf(`
data "bluegreen_switch" "web" {
  routes = { web = ["%[1]s/app.example.com/A", "%[1]s/app.example.com/AAAA"] }
  environments = { blue = { version = "1.0", records = { web = "blue" } }, green = { version = "1.1", records = { web = "green" } } }
}
output "live" {
  value = data.bluegreen_switch.web.live.environment
}
`, s.zone))
	for _, name := range []string{"blue", "green"} {
		out, err := w.prepare("import", "-no-color", "-input=false", fmt.Sprintf("bluegreen_environment.app[%q]", name), name+",records.web="+name).CombinedOutput()
		if err != nil {
			t.Fatal(string(out))
		}
	}
	w.imports(fmt.Sprintf("web=%[1]s/app.example.com/A+%[1]s/app.example.com/AAAA", s.zone))
	mark := len(s.srv.Calls())
	w.apply().ok()
	if out, err := w.prepare("output", "-raw", "live").Output(); err != nil || string(out) != "blue" {
		t.Errorf("the data source says that %q is live: %v", out, err)
	}
	for _, call := range s.srv.Calls()[mark:] {
		if call.Action == "ChangeResourceRecordSets" {
			t.Errorf("%v was written", call.Params)
		}
	}
	w.isEmpty()
}

// Where records were changed after the plan, the advice is about the resource that manages records.
func TestRecords_changedAfterThePlan(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	w.write(s.release("green").String())
	w.plan().ok()
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		s.set(s.record(kind, "blue", 60), s.record(kind, "green", 40))
	}
	w.applyPlan().failsAs("error", s.volatile())
	if got := s.weights(types.RRTypeA); got["green"] != 40 {
		t.Errorf("the weights are %v", got)
	}
}
