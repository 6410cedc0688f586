package catalog

import (
	"reflect"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Every field is required, except what its comment allows to be empty.
func TestAll_isComplete(t *testing.T) {
	optional := map[string]bool{"Unrecorded": true, "compose": true, "value": true, "Batch": true, "Aliases": true, "Sets": true, "limitsOf": true, "Regionless": true}
	blocks, backends := map[string]bool{}, map[string]bool{}
	for _, k := range All() {
		v := reflect.ValueOf(k)
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; v.Field(i).IsZero() && !optional[name] {
				t.Errorf("%s: %s is not set", k.Block, name)
			}
		}
		if (k.compose == nil) != (k.value == nil) {
			t.Errorf("%s: compose and its inverse belong together", k.Block)
		}
		if blocks[k.Block] || backends[k.Backends] {
			t.Errorf("two routers have the block %s or the argument %s", k.Block, k.Backends)
		}
		blocks[k.Block], backends[k.Backends] = true, true
	}
}

// An id belongs to one router, which names it. Any other text belongs to none.
func TestAll_ownTheirIDs(t *testing.T) {
	const (
		listener = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/0123456789abcdef/0123456789abcdef"
		network  = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/net/web/0123456789abcdef/0123456789abcdef"
		record   = "Z0123456789ABC/app.example.com/A"
		alias    = "arn:aws:lambda:eu-central-1:123456789012:function:shop:live"
	)
	const tcp = "tcproute/shop/web"
	for id, want := range map[string]string{listener: "load_balancer", network: "load_balancer", record: "route53", alias: "lambda",
		"httproute/shop/web": "kubernetes", tcp: "kubernetes", "service/shop/web": "kubernetes"} {
		var owners []string
		for _, k := range All() {
			if !k.Owns(id) {
				continue
			}
			owners = append(owners, k.Block)
			if err := k.CheckRoute(id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
			if k.Label(id) == "" {
				t.Errorf("%s has no label", id)
			}
			if k.Regionless != (k.Region(id) == "") {
				t.Errorf("%s: has no region: %t", id, k.Regionless)
			}
			if k.Connections(id) != (id == network || id == tcp) {
				t.Errorf("%s: forwards connections: %t", id, k.Connections(id))
			}
		}
		if len(owners) != 1 || owners[0] != want {
			t.Errorf("%s belongs to %q, want %q", id, owners, want)
		}
	}
	for _, id := range []string{"", "web", "arn:aws:s3:::bucket", " " + listener} {
		if Owned(id) {
			t.Errorf("%q belongs to a router", id)
		}
	}
}

// A composed group has the value that it was composed of.
func TestKind_Group(t *testing.T) {
	for _, c := range []struct {
		kind         Kind
		route, value string
	}{
		{Route53(), "Z0123456789ABC/app.example.com/A", "blue"},
		{Lambda(), "arn:aws:lambda:eu-central-1:123456789012:function:shop:live", "12"},
		{Kubernetes(), "httproute/shop/web#v2", "shop/web-blue:8080"},
		{Kubernetes(), "service/shop/web", "app=web,color=blue"},
		{LoadBalancer(), "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/0123456789abcdef/0123456789abcdef",
			"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/0123456789abcdef"},
	} {
		group, err := c.kind.Group([]string{c.route}, c.value)
		if err != nil || c.kind.CheckGroup(group) != nil || c.kind.Value(group) != c.value {
			t.Errorf("%s of %s is %q, %v, with the value %q", c.value, c.route, group, err, c.kind.Value(group))
		}
		if composes := group != c.value; composes != c.kind.Composes() {
			t.Errorf("%s: composes %t", c.kind.Block, c.kind.Composes())
		}
	}
}

func TestPlace_Apart(t *testing.T) {
	here := Place{"aws", "123456789012", "eu-central-1"}
	for _, c := range []struct {
		there Place
		want  string
	}{
		{here, ""},
		{Place{"aws-cn", "123456789012", "eu-central-1"}, "partition aws-cn instead of aws"},
		{Place{"aws", "210987654321", "eu-central-1"}, "account 210987654321 instead of 123456789012"},
		{Place{"aws", "123456789012", "eu-west-1"}, "region eu-west-1 instead of eu-central-1"},
	} {
		if got := c.there.Apart(here); got != c.want {
			t.Errorf("%v: %q, want %q", c.there, got, c.want)
		}
	}
}

// Routes with the selector of a Service among them are shifted all at once.
func TestKubernetes_limits(t *testing.T) {
	half := shift.Weights{"blue": shift.Full / 2, "green": shift.Full / 2}
	for _, c := range []struct {
		routes []string
		exact  bool
	}{
		{[]string{"httproute/shop/web"}, true},
		{[]string{"service/shop/web"}, false},
		{[]string{"httproute/shop/web", "service/shop/web"}, false},
		{nil, true},
	} {
		nearest, exact := Kubernetes().For(c.routes).Limits.Express(half)
		if exact != c.exact || !exact && len(nearest.Names()) != 1 {
			t.Errorf("%q: %v, %t", c.routes, nearest, exact)
		}
		if _, exact := Kubernetes().For(c.routes).Limits.Express(shift.Sole("blue")); !exact {
			t.Errorf("%q: no environment can have all the traffic", c.routes)
		}
	}
	if before := Lambda(); !reflect.DeepEqual(before.For([]string{"x"}).Limits, before.Limits) {
		t.Error("other routers have one limit")
	}
}

// The short form of a Service means the namespace of its routes.
func TestKubernetes_shortForm(t *testing.T) {
	group, err := Kubernetes().Group([]string{"httproute/shop/web"}, "web-blue:8080")
	if err != nil || group != "service/shop/web-blue:8080" {
		t.Errorf("%q, %v", group, err)
	}
	for value, want := range map[string]string{"web-blue:8080": "services", "app=web": "selectors"} {
		if got := Kubernetes().Argument(value); got != want {
			t.Errorf("%s is a value of %s, want %s", value, got, want)
		}
	}
}
