package route53_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// unlimited is a request rate for tests of something else.
const unlimited = 1e6

const appName = "app.example.com"

// dns is a running Route 53 with a hosted zone and a separate client, so that the effect of a router
// is read independently.
type dns struct {
	t                 *testing.T
	srv               *localaws.Server
	api               *route53api.Client
	zone              string
	checks, zones     int
	hook              atomic.Pointer[func(action string)] // runs before each request of forward and rollback
	forward, rollback *route53.Router
}

func newDNS(t *testing.T, opts ...localaws.Option) *dns {
	t.Helper()
	srv, err := localaws.Start(append([]localaws.Option{
		localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)),
	}, opts...)...)
	must(t, err)
	t.Cleanup(func() { must(t, srv.Close()) })
	d := &dns{t: t, srv: srv}
	d.api = route53api.NewFromConfig(config(), func(o *route53api.Options) { o.BaseEndpoint, o.RetryMaxAttempts = new(srv.URL()), 20 })
	d.zone = d.newZone("first")
	d.forward, d.rollback = d.routers(route53.Options{MaxAttempts: 1, RequestsPerSecond: unlimited})
	return d
}

// newZone creates a hosted zone example.com and returns its id.
func (d *dns) newZone(reference string) string {
	d.t.Helper()
	out, err := d.api.CreateHostedZone(d.ctx(), &route53api.CreateHostedZoneInput{Name: new("example.com"), CallerReference: &reference})
	must(d.t, err)
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
}

// anotherZone returns the same Route 53 with another hosted zone, for the test's client.
func (d *dns) anotherZone() *dns {
	d.t.Helper()
	d.zones++
	return &dns{t: d.t, srv: d.srv, api: d.api, zone: d.newZone(fmt.Sprint("zone ", d.zones))}
}

// routers opens another pair of Routers.
func (d *dns) routers(o route53.Options) (forward, rollback *route53.Router) {
	return d.routersWith(doer(func(req *http.Request) (*http.Response, error) {
		if hook := d.hook.Load(); hook != nil {
			(*hook)(actionOf(req))
		}
		return http.DefaultClient.Do(req)
	}), o)
}

// routersWith is routers with another HTTP client.
func (d *dns) routersWith(client doer, o route53.Options) (forward, rollback *route53.Router) {
	o.Endpoint = d.srv.URL()
	cfg := config()
	cfg.HTTPClient = client
	return route53.NewRouters(cfg, o)
}

type doer func(*http.Request) (*http.Response, error)

func (f doer) Do(req *http.Request) (*http.Response, error) { return f(req) }

func (d *dns) ctx() context.Context { return d.t.Context() }

func (d *dns) route(name, kind string) string { return d.zone + "/" + name + "/" + kind }

func (d *dns) group(name, identifier string) string { return d.zone + "/" + name + "#" + identifier }

// change changes record sets through the test's client.
func (d *dns) change(action types.ChangeAction, sets ...types.ResourceRecordSet) {
	d.t.Helper()
	var changes []types.Change
	for _, s := range sets {
		changes = append(changes, types.Change{Action: action, ResourceRecordSet: &s})
	}
	_, err := d.api.ChangeResourceRecordSets(d.ctx(), &route53api.ChangeResourceRecordSetsInput{
		HostedZoneId: &d.zone, ChangeBatch: &types.ChangeBatch{Changes: changes},
	})
	must(d.t, err)
}

// sets returns the record sets of a name and type, by set identifier.
func (d *dns) sets(name, kind string) map[string]types.ResourceRecordSet {
	d.t.Helper()
	out, err := d.api.ListResourceRecordSets(d.ctx(), &route53api.ListResourceRecordSetsInput{HostedZoneId: &d.zone, MaxItems: new(int32(300))})
	must(d.t, err)
	found := map[string]types.ResourceRecordSet{}
	for _, s := range out.ResourceRecordSets {
		if *s.Name == name+"." && string(s.Type) == kind {
			found[*s.SetIdentifier] = s
		}
	}
	return found
}

// weights returns the weights of a name and type as text, such as "blue 95, green 5".
func (d *dns) weights(name, kind string) string {
	d.t.Helper()
	var parts []string
	all := d.srv.Route53().Weights(d.zone, name, kind)
	for _, identifier := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s %d", identifier, all[identifier]))
	}
	return strings.Join(parts, ", ")
}

// setWeights changes weights as somebody else does, and keeps the rest.
func (d *dns) setWeights(name, kind string, weights map[string]int) {
	d.t.Helper()
	var changed []types.ResourceRecordSet
	for identifier, s := range d.sets(name, kind) {
		s.Weight = new(int64(weights[identifier]))
		changed = append(changed, s)
	}
	d.change(types.ChangeActionUpsert, changed...)
}

// beside returns everything of the A record sets of app.example.com but the weights, as text.
func (d *dns) beside() string {
	d.t.Helper()
	all := d.sets(appName, "A")
	text := ""
	for _, identifier := range slices.Sorted(maps.Keys(all)) {
		s := all[identifier]
		s.Weight = nil
		line, err := json.Marshal(s)
		must(d.t, err)
		text += string(line) + "\n"
	}
	return text
}

// healthCheck creates a health check and returns its id.
func (d *dns) healthCheck() string {
	d.t.Helper()
	d.checks++
	out, err := d.api.CreateHealthCheck(d.ctx(), &route53api.CreateHealthCheckInput{
		CallerReference:   new(fmt.Sprint("check ", d.checks)),
		HealthCheckConfig: &types.HealthCheckConfig{Type: types.HealthCheckTypeTcp, IPAddress: new("192.0.2.1"), Port: new(int32(80))},
	})
	must(d.t, err)
	return *out.HealthCheck.Id
}

// before sets what runs before each request of forward and rollback.
func (d *dns) before(do func(action string)) { d.hook.Store(&do) }

// during counts the requests of forward and rollback while do runs, such as "ChangeResourceRecordSets 1,
// ListResourceRecordSets 2".
func (d *dns) during(do func()) string {
	d.t.Helper()
	var mu sync.Mutex
	count, before := map[string]int{}, d.hook.Load()
	d.before(func(action string) {
		mu.Lock()
		count[action]++
		mu.Unlock()
		if before != nil {
			(*before)(action)
		}
	})
	do()
	d.hook.Store(before)
	mu.Lock()
	defer mu.Unlock()
	var parts []string
	for _, action := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprint(action, " ", count[action]))
	}
	return strings.Join(parts, ", ")
}

// read reads a route of app.example.com.
func (d *dns) read(kind string) traffic.State {
	d.t.Helper()
	states, err := d.forward.Read(d.ctx(), []string{d.route(appName, kind)})
	must(d.t, err)
	return states[0]
}

// to returns a state with weights of blue and green.
func (d *dns) to(s traffic.State, blue, green int) traffic.State {
	s.Weights = map[string]int{d.group(appName, "blue"): blue, d.group(appName, "green"): green}
	return s
}

// record is a weighted record set of app.example.com.
func record(kind types.RRType, identifier string, weight int) types.ResourceRecordSet {
	value := map[types.RRType]string{types.RRTypeA: "192.0.2.1", types.RRTypeAaaa: "2001:db8::1", types.RRTypeCname: "blue.example.org"}[kind]
	return types.ResourceRecordSet{
		Name: new(appName), Type: kind, SetIdentifier: new(identifier), Weight: new(int64(weight)), TTL: new(int64(5)),
		ResourceRecords: []types.ResourceRecord{{Value: new(value)}},
	}
}

// app creates app.example.com with blue and green, of types A and AAAA, all traffic to blue.
func (d *dns) app() {
	d.t.Helper()
	for _, kind := range []types.RRType{types.RRTypeA, types.RRTypeAaaa} {
		d.change(types.ChangeActionCreate, record(kind, "blue", 100), record(kind, "green", 0))
	}
}
