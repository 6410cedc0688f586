package catalog

import "testing"

// FuzzID names what a router accepts: it is owned by that router alone, and has a label and a name.
func FuzzID(f *testing.F) {
	for _, id := range []string{
		"arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2",
		"arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067",
		"Z0123456789ABCDEFGHIJ/app.example.com/A", "Z0123456789ABCDEFGHIJ/app.example.com/A#blue",
		"arn:aws:lambda:eu-central-1:123456789012:function:api:live", "arn:aws:lambda:eu-central-1:123456789012:function:api:12",
		"httproute/shop/web", "service/shop/web-blue:8080", "virtualservice/shop/web#primary", "color=blue,tier=web",
	} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		var owners []string
		for _, kind := range All() {
			if kind.Owns(id) {
				owners = append(owners, kind.Block)
			}
			if kind.CheckRoute(id) == nil && (kind.Label(id) == "" || !kind.Owns(id)) {
				t.Errorf("%s: route %q has the label %q", kind.Block, id, kind.Label(id))
			}
			if kind.CheckGroup(id) == nil && kind.GroupName(id) == "" {
				t.Errorf("%s: group %q has no name", kind.Block, id)
			}
			_, _ = kind.Place(id), kind.Region(id)
		}
		if len(owners) > 1 {
			t.Errorf("%q belongs to %v", id, owners)
		}
	})
}
