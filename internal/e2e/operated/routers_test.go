//go:build linux

package operated

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// unrecorded is a switch whose routes have no place for the record of a shift, with the environments blue and
// green.
type unrecorded struct {
	*e2e.Bare
	t         *testing.T
	name      string
	router    string                   // block of the switch
	backends  string                   // argument of the environments, for each.key
	green     func() (percent float64) // the share of green
	route, to string                   // names of a route, and of blue behind it, for the command
}

var localKey = credentials.NewStaticCredentialsProvider("local", "local", "")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newRecords has the records A and AAAA of a name.
func newRecords(t *testing.T) *unrecorded {
	t.Helper()
	b := e2e.NewBare(t, localaws.WithRecordPropagation(50*time.Millisecond))
	dns := route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: new(b.Server.URL()), Credentials: localKey})
	out, err := dns.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: new("example.com"), CallerReference: new("test")})
	must(t, err)
	zone := strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
	batch := &types.ChangeBatch{}
	for kind, address := range map[types.RRType]string{types.RRTypeA: "192.0.2.1", types.RRTypeAaaa: "2001:db8::1"} {
		for identifier, weight := range map[string]int64{"blue": 100, "green": 0} {
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &types.ResourceRecordSet{
				Name: new("app.example.com"), Type: kind, SetIdentifier: &identifier, Weight: &weight, TTL: new(int64(1)), ResourceRecords: []types.ResourceRecord{{Value: &address}}}})
		}
	}
	_, err = dns.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: batch})
	must(t, err)
	return &unrecorded{Bare: b, t: t, name: zone, route: zone + "/app.example.com/AAAA", to: "blue", backends: "records = { web = each.key }",
		router: fmt.Sprintf(`route53 { routes = { web = ["%[1]s/app.example.com/A", "%[1]s/app.example.com/AAAA"] } }`, zone),
		green: func() float64 {
			out, err := dns.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
			must(t, err)
			weights := map[string]int64{}
			for _, r := range out.ResourceRecordSets {
				weights[aws.ToString(r.SetIdentifier)] += aws.ToInt64(r.Weight)
			}
			return float64(weights["green"]) * 100 / float64(weights["green"]+weights["blue"])
		}}
}

// newAlias has an alias of a function, of which blue is version 1 and green version 2.
func newAlias(t *testing.T) *unrecorded {
	t.Helper()
	b := e2e.NewBare(t)
	functions := lambda.New(lambda.Options{Region: rehearsal.Region, BaseEndpoint: new(b.Server.URL()), Credentials: localKey})
	_, err := functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: new("shop"), Role: new("arn:aws:iam::123456789012:role/shop"),
		Code: &lambdatypes.FunctionCode{ZipFile: []byte("1")}, Runtime: lambdatypes.RuntimeProvidedal2023, Handler: new("bootstrap"), Publish: true})
	must(t, err)
	_, err = functions.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: new("shop"), ZipFile: []byte(strconv.Itoa(2)), Publish: true})
	must(t, err)
	out, err := functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1")})
	must(t, err)
	return &unrecorded{Bare: b, t: t, name: "shop", route: *out.AliasArn, to: "1", backends: `function_versions = { web = { blue = "1", green = "2" }[each.key] }`,
		router: fmt.Sprintf(`lambda { routes = { web = [%q] } }`, *out.AliasArn),
		green: func() float64 {
			out, err := functions.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: new("shop"), Name: new("live")})
			must(t, err)
			share := map[string]float64{*out.FunctionVersion: 1}
			if out.RoutingConfig != nil {
				for version, weight := range out.RoutingConfig.AdditionalVersionWeights {
					share[version], share[*out.FunctionVersion] = weight, 1-weight
				}
			}
			return share["2"] * 100
		}}
}

// configure writes the configuration.
func (u *unrecorded) configure(active, strategy string) {
	u.t.Helper()
	u.Write(fmt.Sprintf(`
terraform {
  required_providers {
    bluegreen = { source = "bluegreen/bluegreen" }
  }
}

resource "bluegreen_environment" "app" {
  for_each  = toset(["blue", "green"])
  name      = each.key
  version   = "1.0"
  %[1]s
  backed_by = []
  lifecycle {
    create_before_destroy = true
  }
}

resource "bluegreen_switch" "web" {
  %[2]s
  environments = bluegreen_environment.app
  active       = %[3]q
  strategy {
    settle = "1ms"
    %[4]s
  }
  health {
    steady_for = "1ms"
  }
}
`, u.backends, u.router, active, strategy))
}

// endless has a hold that lasts until the apply is killed or fails.
const endless = `steps = [{ percent = 50, hold = "10h" }]`

// passing has a hold that is longer than the command takes.
func passing() string {
	return fmt.Sprintf(`steps = [{ percent = 50, hold = %q }]`, slow.Deadline(8*time.Second))
}

// half starts an apply, and waits until green has half of the traffic.
func (u *unrecorded) half(strategy string) *e2e.Apply {
	u.t.Helper()
	u.configure("blue", strategy)
	u.MustApply()
	u.configure("green", strategy)
	apply := u.Start()
	u.Eventually("green has 50 %", func() bool { return u.green() == 50 })
	return apply
}

func (u *unrecorded) volatile() []golden.Replacement {
	return append(volatile(), golden.Replace(u.name, "<name>"), golden.ReplacePattern(`Rolled back in [^.]*\S+\.\n`, "Rolled back in <time>.\n"))
}

// operate runs the command, and compares what it printed.
func (u *unrecorded) operate(name string, code int, args ...string) {
	u.t.Helper()
	out, errs, got := u.Operate(args...).Wait()
	if got != code {
		u.t.Errorf("%s: exit code %d, want %d", name, got, code)
	}
	golden.CheckPart(u.t, name, out+errs, u.volatile()...)
}

// Everything is killed at 50 %. The command shows the traffic and returns it by the state, and the next apply
// agrees with it.
func TestUnrecorded_rollbackAfterAKill(t *testing.T) {
	t.Parallel()
	for name, setUp := range map[string]func(*testing.T) *unrecorded{"records": newRecords, "alias": newAlias} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := setUp(t)
			u.half(endless).Kill(e2e.Everything)
			if u.green() != 50 {
				t.Fatalf("green has %g %%", u.green())
			}
			u.operate("status", 0, "status", "-f", "terraform.tfstate")
			u.operate("where to", 2, "rollback", "-f", "terraform.tfstate", "--yes")
			u.operate("recover", 2, "recover", "-f", "terraform.tfstate")
			u.operate("rollback", 0, "rollback", "-f", "terraform.tfstate", "--yes", "--to", "blue")
			if u.green() != 0 {
				t.Errorf("green has %g %%", u.green())
			}
			u.operate("recover after it", 0, "recover", "-f", "terraform.tfstate")
			u.configure("blue", endless)
			mark := len(u.Server.Calls())
			u.MustApply(e2e.Unlocked)
			for _, call := range u.Server.Calls()[mark:] {
				if call.Action == "UpdateAlias" || call.Action == "ChangeResourceRecordSets" {
					t.Errorf("the next apply wrote with %s", call.Action)
				}
			}
			u.configure("green", `steps = [{ percent = 50, hold = "1s" }]`)
			u.MustApply() // nothing was rejected
			if u.green() != 100 {
				t.Errorf("green has %g %%", u.green())
			}
			u.operate("recover after a shift", 0, "recover", "-f", "terraform.tfstate")
		})
	}
}

// A running apply whose traffic is returned handles that as an external change at its next step: it fails,
// and leaves the traffic there.
func TestUnrecorded_rollbackOfARunningApply(t *testing.T) {
	t.Parallel()
	for name, setUp := range map[string]func(*testing.T) *unrecorded{"records": newRecords, "alias": newAlias} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := setUp(t)
			apply := u.half(passing())
			args := []string{"rollback", "--route", u.route, "--to", u.to, "--yes", "--json"}
			if name == "records" {
				args = append(args, "--route", strings.TrimSuffix(u.route, "AAAA")+"A")
			}
			out, errs, code := u.Operate(args...).Wait()
			var result struct{ Outcome string }
			if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || result.Outcome != "rolled_back" {
				t.Errorf("exit code %d, %v\n%s%s", code, err, out, errs)
			}
			mark := len(u.Server.Calls())
			applied, ok := apply.Wait()
			if ok {
				t.Errorf("the apply succeeded:\n%s", applied)
			}
			// The apply reads the weights while it waits; on a slow machine, the next step may begin before that.
			golden.CheckPart(t, "apply", e2e.ErrorsIn(applied), append(u.volatile(), golden.ReplacePattern(`Step: \d of 2 \(\d+ %\)`, "Step: <step>"))...)
			for _, call := range u.Server.Calls()[mark:] {
				if call.Action == "UpdateAlias" || call.Action == "ChangeResourceRecordSets" {
					t.Errorf("the apply wrote with %s after the rollback", call.Action)
				}
			}
			if u.green() != 0 {
				t.Errorf("green has %g %%", u.green())
			}
			u.configure("blue", endless)
			u.MustApply()
			if u.green() != 0 {
				t.Errorf("after the next apply: green has %g %%", u.green())
			}
		})
	}
}
