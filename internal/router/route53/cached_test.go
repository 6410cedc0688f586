package route53_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// aliasIn is a weighted or simple alias of another record of the zone.
func (d *dns) aliasIn(name, identifier, target string) types.ResourceRecordSet {
	s := types.ResourceRecordSet{
		Name: &name, Type: types.RRTypeA, AliasTarget: &types.AliasTarget{HostedZoneId: &d.zone, DNSName: &target},
	}
	if identifier != "" {
		s.SetIdentifier, s.Weight = &identifier, new(int64(1))
	}
	return s
}

// An alias of a record in the zone is cached as long as that one, also through another alias.
func TestRead_cachedOfAliases(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	for name, ttl := range map[string]int64{"blue.example.com": 20, "green.example.com": 300} {
		s := record(types.RRTypeA, "", 0)
		s.Name, s.SetIdentifier, s.Weight, s.TTL = &name, nil, nil, &ttl
		d.change(types.ChangeActionCreate, s)
	}
	d.change(types.ChangeActionCreate, d.aliasIn("next.example.com", "", "green.example.com"))
	d.change(types.ChangeActionCreate, d.aliasIn(appName, "blue", "blue.example.com"))
	route := d.route(appName, "A")
	for _, tt := range []struct {
		add    func()
		want   time.Duration
		first  string // the calls of the first read
		second string // those of the next one, for which targets are cached
	}{
		{func() {}, 20 * time.Second, list + " 2", list + " 1"},
		{func() { d.change(types.ChangeActionCreate, d.aliasIn(appName, "green", "next.example.com")) }, 300 * time.Second, list + " 3", list + " 2"},
	} {
		tt.add()
		for _, calls := range []string{tt.first, tt.second} {
			var s traffic.State
			if made := d.during(func() { s = d.read("A") }); made != calls || s.Cached != tt.want {
				t.Errorf("a read made %s, and answers are cached for %s, want %s and %s", made, s.Cached, calls, tt.want)
			}
		}
		states, err := route53.NewReader(d.forward).Read(t.Context(), []string{route})
		if err != nil || states[0].Cached != tt.want {
			t.Errorf("the reader got %v, %v", states, err)
		}
	}
	// A rollback reads the record alone.
	remove := d.srv.Inject(faults.Fault{Action: list, Kind: faults.AccessDenied, Skip: 1})
	defer remove()
	if _, err := d.rollback.Read(t.Context(), []string{route}); err != nil {
		t.Error(err)
	}
}
