package platform

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	lambdaapi "github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// locked is a router whose writes are conditional, with a route that has all traffic on the first of two groups.
type locked struct {
	write   string // its API action
	refusal string // of a write whose condition does not hold
	route   string
	groups  [2]string
	// open returns the routers of a process.
	open func() (forward, rollback traffic.Router)
	// restore is what the guardian does with a state that was handed over.
	restore func(*traffic.State) error
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func localConfig() aws.Config {
	return aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "secret", "")}
}

// newRecord is a record of Route 53 with the weights 100 and 0.
func newRecord(t *testing.T, srv *localaws.Server) locked {
	t.Helper()
	api := route53api.NewFromConfig(localConfig(), func(o *route53api.Options) { o.BaseEndpoint = new(srv.URL()) })
	created, err := api.CreateHostedZone(t.Context(), &route53api.CreateHostedZoneInput{Name: new("example.com"), CallerReference: new("1")})
	must(t, err)
	zone := strings.TrimPrefix(*created.HostedZone.Id, "/hostedzone/")
	var changes []types.Change
	for identifier, weight := range map[string]int64{"blue": 100, "green": 0} {
		changes = append(changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &types.ResourceRecordSet{
			Name: new("app.example.com"), Type: types.RRTypeA, SetIdentifier: new(identifier), Weight: new(weight), TTL: new(int64(1)),
			ResourceRecords: []types.ResourceRecord{{Value: new("192.0.2.1")}},
		}})
	}
	_, err = api.ChangeResourceRecordSets(t.Context(), &route53api.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: changes}})
	must(t, err)
	at := zone + "/app.example.com"
	return locked{"ChangeResourceRecordSets", "InvalidChangeBatch", at + "/A", [2]string{at + "#blue", at + "#green"}, func() (traffic.Router, traffic.Router) {
		return route53.NewRouters(localConfig(), route53.Options{Endpoint: srv.URL(), RequestsPerSecond: 1e6})
	}, route53.Restore}
}

// newAlias is an alias of Lambda with all requests on version 1.
func newAlias(t *testing.T, srv *localaws.Server) locked {
	t.Helper()
	api := lambdaapi.NewFromConfig(localConfig(), func(o *lambdaapi.Options) { o.BaseEndpoint = new(srv.URL()) })
	_, err := api.CreateFunction(t.Context(), &lambdaapi.CreateFunctionInput{
		FunctionName: new("shop"), Role: new("arn:aws:iam::123456789012:role/shop"), Code: &lambdatypes.FunctionCode{ZipFile: []byte("1")},
		Runtime: lambdatypes.RuntimeProvidedal2023, Handler: new("bootstrap"), Publish: true,
	})
	must(t, err)
	_, err = api.UpdateFunctionCode(t.Context(), &lambdaapi.UpdateFunctionCodeInput{FunctionName: new("shop"), ZipFile: []byte("2"), Publish: true})
	must(t, err)
	_, err = api.CreateAlias(t.Context(), &lambdaapi.CreateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1")})
	must(t, err)
	const function = "arn:aws:lambda:eu-central-1:123456789012:function:shop:"
	return locked{"UpdateAlias", "PreconditionFailedException", function + "live", [2]string{function + "1", function + "2"}, func() (traffic.Router, traffic.Router) {
		return lambda.NewRouters(localConfig(), lambda.Options{Endpoint: srv.URL()})
	}, lambda.Restore}
}

// handed is a step that a process had sent when it died, as its guardian gets it.
func (l locked) handed(t *testing.T, stable, step traffic.State) rollout.Handover {
	t.Helper()
	step.Raw = nil
	text, err := json.Marshal(rollout.Handover{Shift: "s1", RollbackTimeout: slow.Deadline(time.Minute), Moved: true, Routes: []rollout.HandedRoute{
		{ID: l.route, Entry: "web", Current: stable, Target: stable, Ours: []traffic.State{step}, Pending: true},
	}})
	must(t, err)
	var h rollout.Handover
	must(t, json.Unmarshal(text, &h))
	must(t, l.restore(&h.Routes[0].Current))
	must(t, l.restore(&h.Routes[0].Target))
	return h
}

// A step that was sent by a process that was killed fails when it is executed after the rollback of the guardian, which
// found the traffic where it belongs. The guardian never saw the step, and does not need to wait for it.
func TestTakeOver_lateWriteOfTheDeadProcess(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(*testing.T, *localaws.Server) locked{"route53": newRecord, "lambda": newAlias} {
		t.Run(name, func(t *testing.T) {
			srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)), localaws.WithRecordPropagation(0))
			must(t, err)
			t.Cleanup(func() { must(t, srv.Close()) })
			l := with(t, srv)
			dead, _ := l.open()
			_, guardian := l.open()
			states, err := dead.Read(t.Context(), []string{l.route})
			must(t, err)
			stable, step := states[0], states[0]
			step.Weights = map[string]int{l.groups[0]: 50, l.groups[1]: 50}

			arrived, released := make(chan int, 1), make(chan struct{})
			var first atomic.Bool
			t.Cleanup(srv.Hook(func(c localaws.Call) {
				if c.Action == l.write && first.CompareAndSwap(false, true) {
					arrived <- c.ID
					<-released
				}
			}))
			ctx, kill := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { _ = dead.Write(ctx, l.route, step); close(ended) }()
			id := <-arrived
			kill()
			<-ended

			must(t, rollout.TakeOver(t.Context(), l.handed(t, stable, step), rollout.Successor{Router: guardian}))
			close(released)
			late, err := srv.AwaitCall(t.Context(), func(c localaws.Call) bool { return c.ID == id && c.Status != 0 })
			must(t, err)
			now, err := guardian.Read(t.Context(), []string{l.route})
			must(t, err)
			if late.ErrorCode != l.refusal || !now[0].EqualTraffic(stable) {
				t.Errorf("the late write ended with %q, and the traffic is %v", late.ErrorCode, now[0].Weights)
			}
		})
	}
}
