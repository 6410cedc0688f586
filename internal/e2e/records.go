package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// RecordsTTL is the TTL of the records of a Records.
const RecordsTTL = time.Second

// recordName is the name whose records are shifted.
const recordName = "app.example.com"

// Records is two whole stacks, each with a load balancer of its own, behind weighted A and AAAA records of one name. Blue is
// live.
type Records struct {
	*World
	Zone   string
	Stacks map[string]*rehearsal.Stack // by environment
	DNS    *route53.Client
	// Caches reports that the load resolves the name through a caching resolver.
	Caches bool
	// Config is what Configure writes.
	Config RecordsConfig

	resolver, url string
}

// RecordsConfig is what a user edits.
type RecordsConfig struct {
	Active   string
	Versions map[string]string // of each environment
	Steps    string            // HCL
	Bake     string
	Gates    string   // blocks
	Names    []string // of the records, each with a switch
}

// NewRecords creates the stacks and the records, and adopts them with a switch. It starts no load.
func NewRecords(t *testing.T, options ...localaws.Option) *Records {
	t.Helper()
	built := Build(t)
	balancer := startBalancer(t, slices.Concat([]localaws.Option{localaws.WithDNS("127.0.0.1:0"), localaws.WithExactDNS(),
		localaws.WithBalancerAddresses()}, options)...)
	terraform := rehearsal.NewTerraform(built.Terraform, built.CLIConfig, balancer.URL(), t.TempDir())
	terraform.Limit = hangTimeout()
	r := &Records{Stacks: map[string]*rehearsal.Stack{}, Config: RecordsConfig{Active: "blue", Bake: "1s", Names: []string{recordName},
		Steps: `[{ percent = 5, hold = "1s" }, { percent = 50, hold = "1s" }]`, Versions: map[string]string{}}}
	r.World = &World{Release: &rehearsal.Release{Terraform: terraform}, Balancer: balancer, t: t}
	t.Cleanup(func() {
		if !t.Failed() {
			eventually(t, "no guardian is left", func() bool { return noGuardianIn(terraform.Dir) })
		}
	})
	r.DNS = route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: new(balancer.URL()), RetryMaxAttempts: 10,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	zone, err := r.DNS.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: new("example.com"), CallerReference: new("test")})
	if err != nil {
		t.Fatal(err)
	}
	r.Zone = strings.TrimPrefix(*zone.HostedZone.Id, "/hostedzone/")
	for name, version := range map[string]string{"blue": "1", "green": "2"} {
		r.addStack(name, built.Localapp)
		r.MustDeployStack(name, rehearsal.AppTerms{Version: version})
	}
	r.AddName(recordName)
	eventually(t, "the name server has the records", func() bool { return r.Pending() == 0 }) // a resolver would cache that there are none
	r.resolver, r.Caches = CachingResolver(t, balancer.DNSAddr())
	_, port, _ := net.SplitHostPort(balancer.ListenerAddr(r.Stacks["blue"].Listener))
	r.url = "http://" + net.JoinHostPort(recordName, port)
	return r
}

func (r *Records) addStack(name, localapp string) {
	r.t.Helper()
	stack, err := rehearsal.NewStackOf(r.t.Context(), rehearsal.StackTerms{Endpoint: r.Balancer.URL(), Name: name, Port: 80}, name)
	if err != nil {
		r.t.Fatal(err)
	}
	stack.Program = filepath.Join(localapp, "localapp")
	r.t.Cleanup(stack.Close)
	r.Stacks[name] = stack
}

// MustDeployStack runs a version in the stack of an environment and sets it in the configuration.
func (r *Records) MustDeployStack(name string, terms rehearsal.AppTerms) {
	r.t.Helper()
	if err := r.Stacks[name].Deploy(r.t.Context(), name, terms); err != nil {
		r.t.Fatal(err)
	}
	r.Config.Versions[name] = terms.Version
}

// AddName creates weighted records of a name, of which blue has all the traffic.
func (r *Records) AddName(name string) {
	r.t.Helper()
	r.Upsert(name, map[string]int64{"blue": 100, "green": 0})
}

// Upsert creates or replaces the A and the AAAA record set of each environment in one batch, outside Terraform. The load
// balancers have IPv4 addresses only, so an AAAA record has the same one in the form ::ffff:127.0.0.2.
func (r *Records) Upsert(name string, weights map[string]int64) {
	r.t.Helper()
	batch := &types.ChangeBatch{}
	for environment, weight := range weights {
		address, _, err := net.SplitHostPort(r.Balancer.ListenerAddr(r.Stacks[environment].Listener))
		if err != nil {
			r.t.Fatal(err)
		}
		for kind, value := range map[types.RRType]string{types.RRTypeA: address, types.RRTypeAaaa: "::ffff:" + address} {
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &types.ResourceRecordSet{
				Name: &name, Type: kind, SetIdentifier: &environment, Weight: &weight, TTL: new(int64(RecordsTTL.Seconds())),
				ResourceRecords: []types.ResourceRecord{{Value: &value}}}})
		}
	}
	if _, err := r.DNS.ChangeResourceRecordSets(r.t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &r.Zone, ChangeBatch: batch}); err != nil {
		r.t.Fatal(err)
	}
}

// Address returns the URL of the load balancer of an environment.
func (r *Records) Address(environment string) string {
	return "http://" + r.Balancer.ListenerAddr(r.Stacks[environment].Listener)
}

// MustWrite writes the configuration.
func (r *Records) MustWrite() {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.Terraform.Dir, "main.tf"), []byte(r.Config.hcl(r.Zone)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// MustAdopt applies the configuration for the first time.
func (r *Records) MustAdopt() {
	r.t.Helper()
	r.MustWrite()
	r.MustRun("init", "-no-color")
	r.MustApply()
}

// MustActivate sets the active environment.
func (r *Records) MustActivate(name string) {
	r.t.Helper()
	r.Config.Active = name
	r.MustWrite()
}

// hcl returns the configuration: the environments, and a switch for each name.
func (c RecordsConfig) hcl(zone string) string {
	var versions strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Versions)) {
		fmt.Fprintf(&versions, "%s = %q\n", name, c.Versions[name])
	}
	text := fmt.Sprintf(`terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

resource "bluegreen_environment" "app" {
  for_each  = {
    %s
  }
  name      = each.key
  version   = each.value
  records   = { web = each.key }
  backed_by = []
  lifecycle {
    create_before_destroy = true
  }
}
`, versions.String())
	for i, name := range c.Names {
		label := "web"
		if i > 0 {
			label += fmt.Sprint(i)
		}
		text += fmt.Sprintf(`
resource "bluegreen_switch" %q {
  route53 {
    routes = { web = ["%[2]s/%[3]s/A", "%[2]s/%[3]s/AAAA"] }
  }
  environments = bluegreen_environment.app
  active       = %[4]q
  strategy {
    steps  = %[5]s
    bake   = %[6]q
    settle = "1ms"
  }
  health {
    steady_for = "1ms"
  }
  %[7]s
}
`, label, zone, name, c.Active, c.Steps, c.Bake, c.Gates)
	}
	return text
}

// LoadNames starts a load whose requests resolve the name each.
func (r *Records) LoadNames() *rehearsal.Load {
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: r.url, Rate: 2 * ParallelRate, Clients: 32, NewConnections: true, Resolver: rehearsal.ResolverAt(r.resolver)})
	r.t.Cleanup(func() { load.Stop() })
	return load
}

// MoreNames waits for the responses to a number of requests.
func (r *Records) MoreNames(load *rehearsal.Load, n int) {
	r.t.Helper()
	before := load.Counts().Requests
	eventually(r.t, "more requests", func() bool { return load.Counts().Requests >= before+n })
}

// LostNoName ends the load and checks that every request was answered.
func (r *Records) LostNoName(load *rehearsal.Load) rehearsal.Counts {
	r.t.Helper()
	return lostNothing(r.t, load)
}

// RecordWeights returns the weights of the records of a name and a type, by environment.
func (r *Records) RecordWeights(name, kind string) map[string]int {
	return r.Balancer.Route53().Weights(r.Zone, name, kind)
}

// HasAllAnswers reports whether an environment has all answers of both types.
func (r *Records) HasAllAnswers(environment string) bool {
	for _, kind := range []string{"A", "AAAA"} {
		for name, n := range r.RecordWeights(recordName, kind) {
			if (n > 0) != (name == environment) {
				return false
			}
		}
	}
	return true
}

// MustHaveAllAnswers checks that an environment has all answers.
func (r *Records) MustHaveAllAnswers(environment string) {
	r.t.Helper()
	if !r.HasAllAnswers(environment) {
		r.t.Errorf("%s does not have all answers: A %v, AAAA %v", environment, r.RecordWeights(recordName, "A"), r.RecordWeights(recordName, "AAAA"))
	}
}

// Pending returns how many changes are not INSYNC.
func (r *Records) Pending() int { return r.Balancer.Route53().Status()[r.Zone].Pending }

// Batches returns the batches of changes since a mark.
func (r *Records) Batches(mark int) (all []localaws.Call) {
	for _, call := range r.Balancer.Calls()[mark:] {
		if IsBatch(call) {
			all = append(all, call)
		}
	}
	return all
}

// IsBatch reports whether a call changes records.
func IsBatch(call localaws.Call) bool { return call.Action == "ChangeResourceRecordSets" }

// Weight returns the weight of the record of an environment.
func (r *Records) Weight(kind, environment string) int {
	return r.RecordWeights(recordName, kind)[environment]
}

// Answers asks the name server for the records n times, as so many resolvers do, and returns how often it answered for each
// environment.
func (r *Records) Answers(t *testing.T, n int, kind string) map[string]int {
	t.Helper()
	before := r.Balancer.DNSAnswers(recordName, kind)
	client := &dns.Client{Timeout: hangTimeout()}
	for range n {
		if _, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(recordName), dns.StringToType[kind]), r.Balancer.DNSAddr()); err != nil {
			t.Fatal(err)
		}
	}
	after := r.Balancer.DNSAnswers(recordName, kind)
	for name := range after {
		after[name] -= before[name]
	}
	return after
}
