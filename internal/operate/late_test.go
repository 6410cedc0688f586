package operate_test

import (
	"context"
	"strings"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// late sends a call whose sender dies before it is executed. The returned function executes it, and returns its
// error code.
func (w *world) late(action string, send func(context.Context) error) (execute func() string) {
	w.t.Helper()
	arrived, release := make(chan int, 1), make(chan struct{})
	first := make(chan bool, 1)
	first <- true
	w.t.Cleanup(w.aws.Hook(func(call localaws.Call) {
		if call.Action != action {
			return
		}
		select {
		case <-first:
			arrived <- call.ID
			<-release
		default:
		}
	}))
	ctx, die := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		_ = send(ctx)
		close(ended)
	}()
	id := <-arrived
	die()
	<-ended
	return func() string {
		w.t.Helper()
		close(release)
		call, err := w.aws.AwaitCall(w.t.Context(), func(c localaws.Call) bool { return c.ID == id && c.Status != 0 })
		w.must(err)
		return call.ErrorCode
	}
}

// step gives blue and green other weights in the record A, as a shift does: only if they have those before.
func (w *dnsWorld) step(ctx context.Context, before, after map[string]int64) error {
	batch := &types.ChangeBatch{}
	for _, change := range []struct {
		action  types.ChangeAction
		weights map[string]int64
	}{{types.ChangeActionDelete, before}, {types.ChangeActionCreate, after}} {
		for identifier, weight := range change.weights {
			batch.Changes = append(batch.Changes, types.Change{Action: change.action, ResourceRecordSet: weightedRecord(types.RRTypeA, identifier, weight)})
		}
	}
	_, err := w.dns.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &w.zone, ChangeBatch: batch}, func(o *route53.Options) { o.RetryMaxAttempts = 1 })
	return err
}

// The apply was killed after it repeated its first step, because the first attempt had no answer. That is executed
// after the rollback, and finds other weights with the shares that it was to replace.
func TestRollback_recordsLateWrite(t *testing.T) {
	w := newDNSWorld(t)
	w.share(100, 0)
	stable, step := map[string]int64{"blue": 100, "green": 0}, map[string]int64{"blue": 50, "green": 50}
	execute := w.late("ChangeResourceRecordSets", func(ctx context.Context) error { return w.step(ctx, stable, step) })
	w.must(w.step(t.Context(), stable, step))
	result, err := rollBack(t, w.on(w.routes...), operate.RollbackOptions{To: "blue"})
	w.must(err)
	if code := execute(); code != "InvalidChangeBatch" || result.Outcome != operate.RolledBack || !w.isOnBlue(bothKinds...) {
		t.Errorf("the late batch ended with %q: %+v, A %v, AAAA %v", code, result, w.weights(types.RRTypeA), w.weights(types.RRTypeAaaa))
	}
}

// The same for an alias: its RevisionId is another one.
func TestRollback_aliasLateWrite(t *testing.T) {
	w := newFunctionWorld(t)
	alias, err := w.functions.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: new("shop"), Name: new("live")})
	w.must(err)
	execute := w.late("UpdateAlias", func(ctx context.Context) error {
		_, err := w.functions.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: new("shop"), Name: new("live"), FunctionVersion: new("1"), RevisionId: alias.RevisionId,
			RoutingConfig: &lambdatypes.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.5}}})
		return err
	})
	result, err := rollBack(t, w.on(w.routes...), operate.RollbackOptions{To: "1"})
	w.must(err)
	if code := execute(); code != "PreconditionFailedException" || result.Outcome != operate.RolledBack || !w.has("1") {
		t.Errorf("the late write ended with %q: %+v, the alias has %v", code, result, w.weights())
	}
}

// The apply was killed while its first write was on its way, so all traffic is at the target yet. An owner that
// runs returns the write itself.
func TestRollback_lateWriteWhereNothingMoved(t *testing.T) {
	for name, c := range map[string]struct{ ended, known, watches bool }{
		"its process lives": {false, true, false}, "its process ended": {true, true, true}, "on another machine": {false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.split(0, w.routes...)
			record := w.record()
			record.Expires = time.Now().Add(2 * time.Minute)
			w.put(record)
			execute := w.late("ModifyRule", func(ctx context.Context) error {
				_, err := w.stack.Client().ModifyRule(ctx, &elbv2.ModifyRuleInput{RuleArn: &w.routes[1], Actions: w.forward(50, 50)})
				return err
			})
			o, watching := w.named(), make(chan struct{})
			o.Abandoned = func(traffic.Owner) (bool, bool) { return c.ended, c.known }
			o.Progress = func(line string) {
				if strings.Contains(line, "Watching") {
					close(watching)
				}
			}
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt() // the watch takes half a minute
			plan, err := o.PlanRollback(ctx, operate.RollbackOptions{Timeout: slow.Deadline(time.Minute)})
			w.must(err)
			ended := make(chan operate.Result, 1)
			go func() {
				result, _ := plan.Run(ctx)
				ended <- result
			}()
			select {
			case result := <-ended:
				if c.watches || result.Outcome != operate.AlreadyThere {
					t.Errorf("it ended with %+v", result)
				}
				return
			case <-watching:
			}
			if code := execute(); code != "" || !c.watches {
				t.Errorf("it watches; the late write ended with %q", code)
			}
			w.eventually("the late write is undone", func() bool {
				states, err := w.router().Read(t.Context(), w.routes[1:2])
				w.must(err)
				return states[0].Weights[w.stack.Groups["green"]] == 0
			})
			interrupt()
			<-ended
		})
	}
}
