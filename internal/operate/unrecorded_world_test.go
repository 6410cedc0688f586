package operate_test

import (
	"context"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// startLocal starts the stand-in, and makes the clients of the command call it.
func startLocal(t *testing.T, options ...localaws.Option) *localaws.Server {
	t.Helper()
	server, err := localaws.Start(append(options, localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, entry := range append(rehearsal.LocalEnv(server.URL()), "AWS_ENDPOINT_URL="+server.URL()) {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	return server
}

var localKey = credentials.NewStaticCredentialsProvider("local", "local", "")

// dnsWorld is a hosted zone with the records A and AAAA of app.example.com, of which blue and green have
// half each.
type dnsWorld struct {
	world
	dns  *route53.Client
	zone string
}

func newDNSWorld(t *testing.T, options ...localaws.Option) *dnsWorld {
	t.Helper()
	return dnsWorldOn(t, startLocal(t, options...))
}

func dnsWorldOn(t *testing.T, server *localaws.Server) *dnsWorld {
	t.Helper()
	w := &dnsWorld{world: world{t: t, aws: server}}
	w.dns = route53.New(route53.Options{Region: "us-east-1", BaseEndpoint: new(w.aws.URL()), Credentials: localKey})
	out, err := w.dns.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: new("example.com"), CallerReference: new("test")})
	w.must(err)
	w.zone = strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
	w.routes = []string{w.zone + "/app.example.com/A", w.zone + "/app.example.com/AAAA"}
	w.share(50, 50)
	return w
}

// syncAtQuestion keeps changes PENDING until the command asks for the nth time.
func (w *dnsWorld) syncAtQuestion(n int64) {
	w.t.Helper()
	release, asked := w.aws.Route53().Hold(), atomic.Int64{}
	w.t.Cleanup(w.aws.Hook(func(call localaws.Call) {
		if call.Action == "GetChange" && asked.Add(1) == n {
			release()
		}
	}))
}

// share gives blue and green weights in both records.
func (w *dnsWorld) share(blue, green int64) {
	w.t.Helper()
	w.shareOf(types.RRTypeA, blue, green)
	w.shareOf(types.RRTypeAaaa, blue, green)
}

// shareOf is share for one record.
func (w *dnsWorld) shareOf(kind types.RRType, blue, green int64) {
	w.t.Helper()
	batch := &types.ChangeBatch{}
	for identifier, weight := range map[string]int64{"blue": blue, "green": green} {
		batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: weightedRecord(kind, identifier, weight)})
	}
	_, err := w.dns.ChangeResourceRecordSets(context.Background(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &w.zone, ChangeBatch: batch})
	w.must(err)
}

func weightedRecord(kind types.RRType, identifier string, weight int64) *types.ResourceRecordSet {
	address := map[types.RRType]string{types.RRTypeA: "192.0.2.1", types.RRTypeAaaa: "2001:db8::1"}[kind]
	return &types.ResourceRecordSet{Name: new("app.example.com"), Type: kind, SetIdentifier: &identifier, Weight: &weight, TTL: new(int64(30)),
		ResourceRecords: []types.ResourceRecord{{Value: &address}}}
}

// weights returns the weights of a record by set identifier.
func (w *dnsWorld) weights(kind types.RRType) map[string]int64 {
	w.t.Helper()
	out, err := w.dns.ListResourceRecordSets(context.Background(), &route53.ListResourceRecordSetsInput{HostedZoneId: &w.zone})
	w.must(err)
	found := map[string]int64{}
	for _, r := range out.ResourceRecordSets {
		if r.Type == kind && r.SetIdentifier != nil {
			found[*r.SetIdentifier] = aws.ToInt64(r.Weight)
		}
	}
	return found
}

// isOnBlue reports whether records send everything to blue.
func (w *dnsWorld) isOnBlue(kinds ...types.RRType) bool {
	w.t.Helper()
	for _, kind := range kinds {
		for name, n := range w.weights(kind) {
			if (n > 0) != (name == "blue") {
				return false
			}
		}
	}
	return true
}

// named returns an operator on all records, as a state has them.
func (w *dnsWorld) named() *operate.Operator {
	w.t.Helper()
	group := func(name string) map[string]string {
		return map[string]string{"web": w.zone + "/app.example.com#" + name}
	}
	return w.operator(operate.Target{Switch: "bluegreen_switch.web", Routes: entryRoutes("web", w.routes),
		Environments: map[string]operate.Environment{"blue": {Version: "1.4.2", Groups: group("blue")}, "green": {Version: "1.5.0", Groups: group("green")}}})
}

func (w *dnsWorld) volatile() []golden.Replacement {
	return append(w.world.volatile(), golden.Replace(w.zone, "<zone>"))
}

// functionWorld is a function with four versions, and an alias of which version 1 has 90 % and version 2
// has 10 %.
type functionWorld struct {
	world
	functions *lambda.Client
}

func newFunctionWorld(t *testing.T) *functionWorld {
	t.Helper()
	return functionWorldOn(t, startLocal(t))
}

func functionWorldOn(t *testing.T, server *localaws.Server) *functionWorld {
	t.Helper()
	w := &functionWorld{world: world{t: t, aws: server}}
	w.functions = lambda.New(lambda.Options{Region: rehearsal.Region, BaseEndpoint: new(w.aws.URL()), Credentials: localKey})
	_, err := w.functions.CreateFunction(t.Context(), &lambda.CreateFunctionInput{FunctionName: new("shop"), Role: new("arn:aws:iam::123456789012:role/shop"),
		Code: &lambdatypes.FunctionCode{ZipFile: []byte("1")}, Runtime: lambdatypes.RuntimeProvidedal2023, Handler: new("bootstrap"), Publish: true})
	w.must(err)
	for i := 2; i <= 4; i++ {
		_, err := w.functions.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: new("shop"), ZipFile: []byte(strconv.Itoa(i)), Publish: true})
		w.must(err)
	}
	out, err := w.functions.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1")})
	w.must(err)
	w.routes = []string{*out.AliasArn}
	w.share("1", "2", 0.1)
	return w
}

// share gives an additional version a share of the alias.
func (w *functionWorld) share(version, additional string, share float64) {
	w.t.Helper()
	_, err := w.functions.UpdateAlias(context.Background(), &lambda.UpdateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: &version,
		RoutingConfig: &lambdatypes.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{additional: share}}})
	w.must(err)
}

// weights returns the share of each version of the alias.
func (w *functionWorld) weights() map[string]float64 {
	w.t.Helper()
	out, err := w.functions.GetAlias(context.Background(), &lambda.GetAliasInput{FunctionName: new("shop"), Name: new("live")})
	w.must(err)
	found := map[string]float64{*out.FunctionVersion: 1}
	if out.RoutingConfig != nil {
		for version, weight := range out.RoutingConfig.AdditionalVersionWeights {
			found[version] = weight
			found[*out.FunctionVersion] -= weight
		}
	}
	return found
}

// has reports whether the alias sends everything to a version.
func (w *functionWorld) has(version string) bool {
	w.t.Helper()
	return maps.Equal(w.weights(), map[string]float64{version: 1})
}

// version returns the group of a version.
func (w *functionWorld) version(n string) string {
	return strings.TrimSuffix(w.routes[0], ":live") + ":" + n
}

// named returns an operator on the alias, as a state has it.
func (w *functionWorld) named() *operate.Operator {
	w.t.Helper()
	group := func(n string) map[string]string { return map[string]string{"api": w.version(n)} }
	return w.operator(operate.Target{Switch: "bluegreen_switch.api", Routes: entryRoutes("api", w.routes),
		Environments: map[string]operate.Environment{"blue": {Version: "1", Groups: group("1")}, "green": {Version: "2", Groups: group("2")}}})
}

func entryRoutes(entry string, ids []string) (all []traffic.Route) {
	for _, id := range ids {
		all = append(all, traffic.Route{Entry: entry, ID: id})
	}
	return all
}
