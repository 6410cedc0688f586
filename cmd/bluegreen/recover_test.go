package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// newRecords creates a hosted zone with records of app.example.com, and returns what sets their weights.
func newRecords(t *testing.T, url string) (zone string, share func(blue, green int64)) {
	t.Helper()
	dns := route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	out, err := dns.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: new("example.com"), CallerReference: new("test")})
	if err != nil {
		t.Fatal(err)
	}
	share = func(blue, green int64) {
		t.Helper()
		batch := &types.ChangeBatch{}
		for name, n := range map[string]int64{"blue": blue, "green": green} {
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &types.ResourceRecordSet{Name: new("app.example.com"),
				Type: types.RRTypeA, SetIdentifier: &name, Weight: &n, TTL: new(int64(1)), ResourceRecords: []types.ResourceRecord{{Value: new("192.0.2.1")}}}})
		}
		if _, err := dns.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: out.HostedZone.Id, ChangeBatch: batch}); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/"), share
}

// severalSwitches is the state of a configuration with a switch per router, as "terraform show -json" prints it.
func severalSwitches(t *testing.T, stack *rehearsal.Stack, zone string) string {
	t.Helper()
	resource := func(name, block, route, argument string, backends map[string]string) map[string]any {
		environments := map[string]any{}
		for environment, backend := range backends {
			environments[environment] = map[string]any{"version": nil, argument: map[string]string{"web": backend}}
		}
		return map[string]any{"address": "bluegreen_switch." + name, "mode": "managed", "type": switchType, "name": name, "values": map[string]any{
			block: []any{map[string]any{"routes": map[string][]string{"web": {route}}}}, "environments": environments,
			"active": "blue", "weights": map[string]int{"blue": 100, "green": 0}, "stable": map[string]any{"weights": map[string]int{"blue": 100, "green": 0}},
		}}
	}
	text, err := json.Marshal(map[string]any{"format_version": "1.0", "values": map[string]any{"root_module": map[string]any{"resources": []any{
		resource("names", "route53", zone+"/app.example.com/A", "records", map[string]string{"blue": "blue", "green": "green"}),
		resource("web", "load_balancer", stack.Listener, "target_groups", stack.Groups),
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const switchType = "bluegreen_switch"

// A step of CI recovers all switches of a state, of whatever router. One that cannot be recovered keeps none of the others
// from it, and is the exit code.
func TestRecover_severalSwitches(t *testing.T) {
	server, stack := newStack(t)
	zone, share := newRecords(t, server.URL())
	state := severalSwitches(t, stack, zone)
	hidden := append(golden.Volatile(), golden.Replace(zone, "<zone>"))
	for _, c := range []struct {
		name        string
		blue, green int64
		code        int
	}{{"nothing to do", 100, 0, 0}, {"a split without a record", 50, 50, 2}} {
		share(c.blue, c.green)
		text := ""
		for _, more := range [][]string{nil, {"--json"}} {
			r := runWith(t.Context(), state, false, append([]string{"recover", "-f", "-"}, more...)...)
			if r.code != c.code {
				t.Errorf("%s %v: exit code %d", c.name, more, r.code)
			}
			text += fmt.Sprintf("stdout:\n%sstderr:\n%s", r.out, r.err)
		}
		golden.CheckPart(t, c.name, text, hidden...)
	}
	file := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runWith(t.Context(), "", false, "recover", "-f", file, "--switch", "bluegreen_switch.web"); r.code != 0 || strings.Contains(r.out, "bluegreen_switch") {
		t.Errorf("one of them: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if r := runWith(t.Context(), "", false, "status", "-f", file); r.code != 2 || !strings.Contains(r.err, "The state has several switches") {
		t.Errorf("status: exit code %d\n%s%s", r.code, r.out, r.err)
	}
}
