package route53_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
)

const (
	zone  = "Z0123456789ABC"
	web   = zone + "/app.example.com/A"
	web6  = zone + "/app.example.com/AAAA"
	blue  = zone + "/app.example.com#blue"
	green = zone + "/app.example.com#green"
)

func TestParseRoute(t *testing.T) {
	tests := []struct {
		id     string
		want   route53.Route
		err    error
		normal string
	}{
		{id: web, want: route53.Route{Zone: zone, Name: "app.example.com", Type: "A"}},
		{id: zone + "/*.example.com/CNAME", want: route53.Route{Zone: zone, Name: "*.example.com", Type: "CNAME"}},
		{id: zone + "/_sip._tcp.example.com/AAAA", want: route53.Route{Zone: zone, Name: "_sip._tcp.example.com", Type: "AAAA"}},
		{id: zone + `/a\100b.example.com/A`, want: route53.Route{Zone: zone, Name: `a\100b.example.com`, Type: "A"}},
		{id: "/hostedzone/" + web, err: route53.ErrNotNormal, normal: web},
		{id: "hostedzone/" + web, err: route53.ErrNotNormal, normal: web},
		{id: zone + "/App.Example.com./A", err: route53.ErrNotNormal, normal: web},
		{id: zone + `/\052.example.com/a`, err: route53.ErrNotNormal, normal: zone + "/*.example.com/A"},
		{id: zone + "/app.example.com/MX", err: route53.ErrType},
		{id: zone + "/app.example.com/", err: route53.ErrType},
		{id: zone + "/app.example.com", err: route53.ErrMalformed},
		{id: zone + "//A", err: route53.ErrMalformed},
		{id: zone + "/app..example.com/A", err: route53.ErrMalformed},
		{id: zone + "/app.example.com\n/A", err: route53.ErrMalformed},
		{id: zone + "/" + strings.Repeat("a", 64) + ".example.com/A", err: route53.ErrMalformed},
		{id: "z0123456789abc/app.example.com/A", err: route53.ErrMalformed},
		{id: blue, err: route53.ErrMalformed},
		{id: "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2", err: route53.ErrMalformed},
		{id: "", err: route53.ErrMalformed},
	}
	for _, tt := range tests {
		got, err := route53.ParseRoute(tt.id)
		if got != tt.want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("ParseRoute(%q) returned %+v, %v", tt.id, got, err)
		}
		if wrong, ok := errors.AsType[*route53.IDError](err); ok && wrong.Normal != tt.normal {
			t.Errorf("%q: got the normal form %q, want %q", tt.id, wrong.Normal, tt.normal)
		}
		if err == nil && got.String() != tt.id {
			t.Errorf("%q is formatted as %q", tt.id, got)
		}
	}
}

func TestParseGroup(t *testing.T) {
	tests := []struct {
		id, name, identifier, normal string
		err                          error
	}{
		{id: blue, name: "app.example.com", identifier: "blue"},
		{id: zone + "/app.example.com#Blue #2/x", name: "app.example.com", identifier: "Blue #2/x"},
		{id: "/hostedzone/" + zone + "/APP.example.com.#Blue", normal: zone + "/app.example.com#Blue", err: route53.ErrNotNormal},
		{id: zone + "/app.example.com#", err: route53.ErrMalformed},
		{id: zone + "/app.example.com#" + strings.Repeat("x", 129), err: route53.ErrMalformed},
		{id: zone + "/#blue", err: route53.ErrMalformed},
		{id: "#blue", err: route53.ErrMalformed},
		{id: web, err: route53.ErrMalformed},
	}
	for _, tt := range tests {
		got, err := route53.ParseGroup(tt.id)
		if got.Name != tt.name || got.Identifier != tt.identifier || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("ParseGroup(%q) returned %+v, %v", tt.id, got, err)
		}
		if wrong, ok := errors.AsType[*route53.IDError](err); ok && wrong.Normal != tt.normal {
			t.Errorf("%q: got the normal form %q, want %q", tt.id, wrong.Normal, tt.normal)
		}
	}
}

func TestGroup(t *testing.T) {
	for _, routes := range [][]string{{web}, {web, web6}} {
		if got, err := route53.Group(routes, "blue"); got != blue || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for _, tt := range []struct {
		routes     []string
		identifier string
		want       error
	}{
		{nil, "blue", route53.ErrNoRoutes},
		{[]string{web, zone + "/api.example.com/A"}, "blue", route53.ErrSeveralNames},
		{[]string{web, "Z9/app.example.com/A"}, "blue", route53.ErrSeveralNames},
		{[]string{web, blue}, "blue", route53.ErrMalformed},
		{[]string{web}, "", route53.ErrIdentifier},
		{[]string{web}, strings.Repeat("x", 129), route53.ErrIdentifier},
	} {
		if got, err := route53.Group(tt.routes, tt.identifier); got != "" || !errors.Is(err, tt.want) {
			t.Errorf("Group(%q, %q) returned %q, %v, want %v", tt.routes, tt.identifier, got, err, tt.want)
		}
	}
}

func TestLabel(t *testing.T) {
	for id, want := range map[string]string{web: "app.example.com A", blue: "blue", "something": "something", "": ""} {
		if got := route53.Label(id); got != want {
			t.Errorf("Label(%q) is %q, want %q", id, got, want)
		}
	}
	if got := route53.Identifier(green); got != "green" {
		t.Errorf("Identifier(%q) is %q", green, got)
	}
}

func TestOwns(t *testing.T) {
	for id, want := range map[string]bool{
		web: true, blue: true, "/hostedzone/" + web: true, zone + "/app.example.com/MX": true,
		"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067": false,
		"httproute/default/web": false, "": false,
	} {
		if got := route53.Owns(id); got != want {
			t.Errorf("Owns(%q) is %t", id, got)
		}
	}
}
