package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// at creates the records of a name in a zone, of which the first identifier has all the traffic.
func (s *dnsSite) at(zone, name string, identifiers ...string) {
	s.t.Helper()
	batch := &types.ChangeBatch{}
	for i, identifier := range identifiers {
		r := s.record(types.RRTypeA, identifier, int64(100*max(0, 1-i)))
		r.Name = &name
		batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &r})
	}
	_, err := s.dns.ChangeResourceRecordSets(s.t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: batch})
	s.must(err)
}

// Set identifiers have any characters and their case counts. A wildcard is a name, and each entry point has its own zone.
func TestRecords_unusualNames(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	second := s.createZone("example.org")
	long := strings.Repeat("x", 128)
	s.at(s.zone, "*.example.com", "App Live", "app live")
	s.at(second, "www.example.org", long, "#1/é")
	release := func(active string) string {
		r := s.release(active)
		return replaceAll(
			fmt.Sprintf("{ web = [%[1]q, %[2]q] }", s.zone+"/app.example.com/A", s.zone+"/app.example.com/AAAA"),
			fmt.Sprintf("{ web = [%q], org = [%q] }", s.zone+"/*.example.com/A", second+"/www.example.org/A"),
			"{ web = each.key }", fmt.Sprintf(`each.key == "blue" ? { web = "App Live", org = %q } : { web = "app live", org = "#1/é" }`, long),
		)(r.String())
	}
	w.write(release("blue"))
	w.apply().ok()
	w.write(release("green"))
	w.apply().ok()
	if got := s.srv.Route53().Weights(s.zone, "*.example.com", "A"); got["App Live"] != 0 || got["app live"] == 0 {
		t.Errorf("the weights of the wildcard are %v", got)
	}
	if got := s.srv.Route53().Weights(second, "www.example.org", "A"); got[long] != 0 || got["#1/é"] == 0 {
		t.Errorf("the weights in the other zone are %v", got)
	}
	w.isEmpty()
}

// A switch of the AAAA records alone warns that resolvers which ask for A keep getting the other environment.
func TestRecords_oneTypeOfTwo(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	alone := replace(`"`+s.zone+`/app.example.com/A", `, "")
	w.write(alone(s.release("blue").String()))
	w.apply().ok()
	w.write(alone(s.release("green").String()))
	w.plan().ok()
	w.scheduleIs("schedule")
}
