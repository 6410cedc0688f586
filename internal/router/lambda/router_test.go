package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The version that the alias has keeps its place until it has no share, and a rollback from anywhere is one
// call.
func TestRouter_oneCallPerStep(t *testing.T) {
	s := newSite(t, 2)
	for i, step := range []struct {
		share      int // of version 2
		version    string
		additional map[string]float64
	}{
		{10, "1", map[string]float64{"2": 0.01}}, {500, "1", map[string]float64{"2": 0.5}}, {999, "1", map[string]float64{"2": 0.999}}, {0, "1", nil},
		{900, "1", map[string]float64{"2": 0.9}}, {1000, "2", nil}, {300, "2", map[string]float64{"1": 0.7}}, {1000, "2", nil},
	} {
		if step.share == 10 {
			step.additional["2"] = 0.01
		}
		must(t, s.write(s.forward, map[string]int{version(1): 1000 - step.share, version(2): step.share}))
		now := s.get()
		got := map[string]float64(nil)
		if now.RoutingConfig != nil {
			got = now.RoutingConfig.AdditionalVersionWeights
		}
		if *now.FunctionVersion != step.version || !maps.Equal(got, step.additional) {
			t.Errorf("at %d the alias has version %s and %v, want %s and %v", step.share, *now.FunctionVersion, got, step.version, step.additional)
		}
		if n := s.count("UpdateAlias"); n != i+1 {
			t.Errorf("%d calls for %d steps", n, i+1)
		}
	}
}

// What others wrote is read to a tenth of a percent, and written back as it was.
func TestRouter_finerWeights(t *testing.T) {
	s := newSite(t, 2)
	tenth := 0.1
	for _, c := range []struct {
		weight float64
		want   map[string]int
	}{
		{tenth + 0.2, map[string]int{version(1): 700, version(2): 300}},
		{0.0125, map[string]int{version(1): 987, version(2): 13}},
		{0.0001, map[string]int{version(1): 999, version(2): 1}},
		{0.99999, map[string]int{version(1): 1, version(2): 999}},
		{0, map[string]int{version(1): 1000}},
		{1, map[string]int{version(2): 1000}},
	} {
		s.change("1", map[string]float64{"2": c.weight})
		before := s.read()
		if !maps.Equal(before.Weights, c.want) {
			t.Errorf("a weight of %v is read as %v, want %v", c.weight, before.Weights, c.want)
			continue
		}
		must(t, s.write(s.forward, map[string]int{version(1): 500, version(2): 500}))
		must(t, s.rollback.Write(t.Context(), live, before))
		if got := s.read(); !got.Equal(before) {
			t.Errorf("a weight of %v was rolled back to %v, want %v", c.weight, got.Weights, before.Weights)
		}
	}
	s.change("1", map[string]float64{"2": 0.0125})
	must(t, s.write(s.forward, map[string]int{version(1): 987, version(2): 13}))
	if got := s.get().RoutingConfig.AdditionalVersionWeights["2"]; got != 0.0125 {
		t.Errorf("a write of the same shares changed the weight to %v", got)
	}
}

// during runs a function once, between the read and the write of the next Write.
func (s *site) during(do func()) {
	var done atomic.Bool
	s.t.Cleanup(s.srv.Hook(func(c localaws.Call) {
		if c.Action == "UpdateAlias" && done.CompareAndSwap(false, true) {
			do()
		}
	}))
}

func TestRouter_somebodyElseChangesTheAlias(t *testing.T) {
	for name, r := range map[string]func(*site) *lambda.Router{
		"forward": func(s *site) *lambda.Router { return s.forward }, "rollback": func(s *site) *lambda.Router { return s.rollback },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 3)
			s.during(func() { s.change("3", nil) })
			err := s.write(r(s), map[string]int{version(1): 900, version(2): 100})
			if call, named := errors.AsType[*lambda.CallError](err); !errors.Is(err, lambda.ErrChanged) || !named || call.Action != "lambda:UpdateAlias" || call.ARN != live || call.Refused() {
				t.Errorf("Write returned %v", err)
			}
			if got := s.read().Weights; !maps.Equal(got, map[string]int{version(3): 1000}) {
				t.Errorf("the alias has %v", got)
			}
			must(t, s.write(r(s), map[string]int{version(3): 900, version(2): 100}))
		})
	}
}

// A change that leaves the requests alone is preserved, and does not stop a shift.
func TestRouter_somebodyElseChangesTheDescription(t *testing.T) {
	s := newSite(t, 2)
	s.during(func() {
		_, err := s.api.UpdateAlias(s.ctx(), &api.UpdateAliasInput{FunctionName: aws.String("shop"), Name: aws.String("live"), Description: aws.String("new")})
		must(t, err)
	})
	must(t, s.write(s.forward, map[string]int{version(1): 900, version(2): 100}))
	if now := s.get(); *now.Description != "new" || now.RoutingConfig.AdditionalVersionWeights["2"] != 0.1 {
		t.Errorf("the alias is %q with %v", *now.Description, now.RoutingConfig)
	}
}

// Where the connection fails after the write, the next attempt is refused because of the revision of its own
// write: that is a success.
func TestRouter_answerOfAWriteIsLost(t *testing.T) {
	s := newSite(t, 2)
	defer s.srv.Inject(faults.Fault{Kind: faults.DropAnswer, Action: "UpdateAlias", Times: 1})()
	must(t, s.write(s.rollback, map[string]int{version(1): 900, version(2): 100}))
	if got := s.read().Weights; !maps.Equal(got, map[string]int{version(1): 900, version(2): 100}) || s.count("UpdateAlias") != 2 {
		t.Errorf("the alias has %v after %d calls", got, s.count("UpdateAlias"))
	}
}

// A read that is older than the last write is no reason to fail.
func TestRouter_oldRead(t *testing.T) {
	s := newSite(t, 2)
	must(t, s.write(s.forward, map[string]int{version(1): 900, version(2): 100}))
	state := s.read()
	state.Weights = map[string]int{version(1): 500, version(2): 500}
	defer s.srv.Inject(faults.Fault{Kind: faults.StaleRead, Action: "GetAlias", Times: 1})()
	must(t, s.forward.Write(t.Context(), live, state))
	if got := s.read(); !got.Equal(state) {
		t.Errorf("the alias has %v", got.Weights)
	}
}

// A read that is older than a write is not fresh; one after a change by somebody else is, also where that
// returns what the alias had before the write.
func TestRouter_freshReads(t *testing.T) {
	s := newSite(t, 2)
	before := s.read()
	if !before.Fresh {
		t.Error("a read without a write is not fresh")
	}
	must(t, s.write(s.forward, map[string]int{version(1): 900, version(2): 100}))
	remove := s.srv.Inject(faults.Fault{Kind: faults.StaleRead, Action: "GetAlias"})
	if old := s.read(); old.Fresh || !old.Equal(before) {
		t.Errorf("a stale read: fresh %t, %v", old.Fresh, old.Weights)
	}
	remove()
	if got := s.read(); !got.Fresh || got.Equal(before) {
		t.Errorf("a read of the write: fresh %t, %v", got.Fresh, got.Weights)
	}
	_, other := lambda.NewRouters(config(), lambda.Options{Endpoint: s.srv.URL()}) // of another process
	must(t, other.Write(t.Context(), live, before))
	if got := s.read(); !got.Fresh || !got.Equal(before) {
		t.Errorf("a read of what somebody else returned: fresh %t, %v", got.Fresh, got.Weights)
	}
}

// A rollback writes an alias that it cannot read, from what was read before, also in another process.
func TestRouter_rollbackWithoutARead(t *testing.T) {
	s := newSite(t, 2)
	text, err := json.Marshal(s.read())
	must(t, err)
	var stable traffic.State
	must(t, json.Unmarshal(text, &stable))
	must(t, lambda.Restore(&stable))
	must(t, s.write(s.forward, map[string]int{version(1): 500, version(2): 500}))

	remove := s.srv.Inject(faults.Fault{Kind: faults.AccessDenied, Action: "GetAlias"})
	if err := s.forward.Write(t.Context(), live, stable); !errors.Is(err, traffic.ErrDenied) {
		t.Errorf("forward returned %v", err)
	}
	must(t, s.rollback.Write(t.Context(), live, stable))
	remove()
	if got := s.read(); !got.Equal(stable) {
		t.Errorf("the alias has %v, want %v", got.Weights, stable.Weights)
	}
	updates := slices.DeleteFunc(s.srv.Calls(), func(c localaws.Call) bool { return c.Action != "UpdateAlias" })
	if last := updates[len(updates)-1].Params; last.Has("RevisionId") || last.Has("Description") {
		t.Errorf("the rollback sent %v", last)
	}

	if err := s.rollback.Write(t.Context(), live, traffic.State{Weights: stable.Weights, Raw: "text"}); !errors.Is(err, lambda.ErrInvalid) {
		t.Errorf("a Raw of another type: %v", err)
	}
	var none traffic.State
	if err := lambda.Restore(&none); err != nil || none.Raw != nil {
		t.Errorf("a state without Raw is %v, %v", none.Raw, err)
	}
	if err := lambda.Restore(&traffic.State{Raw: "text"}); err == nil {
		t.Error("a Raw of another router was accepted")
	}
}

// A read without an answer delays a rollback by two seconds.
func TestRouter_rollbackDoesNotWaitForARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		r := lambda.New(lambda.Config{Rollback: true, Client: func(string) lambda.Client { return f }})
		states, err := r.Read(t.Context(), []string{live})
		must(t, err)
		f.hang = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		must(t, r.Write(ctx, live, states[0]))
		if took := time.Since(began); took != 2*time.Second || f.updates != 1 {
			t.Errorf("it took %s and %d updates", took, f.updates)
		}
		ended, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if err := r.Write(ended, live, states[0]); !errors.Is(err, context.Canceled) || f.updates != 1 {
			t.Errorf("after its end: %v, %d updates", err, f.updates)
		}
	})
}

func TestRouter_missing(t *testing.T) {
	s := newSite(t, 1)
	state := s.read()
	for _, c := range []struct {
		name  string
		route string
		group string
		want  string
	}{
		{"version", live, version(7), version(7)},
		{"alias", function + ":test", version(1), function + ":test"},
		{"function", "arn:aws:lambda:eu-central-1:123456789012:function:other:live", "arn:aws:lambda:eu-central-1:123456789012:function:other:1", "arn:aws:lambda:eu-central-1:123456789012:function:other:live"},
	} {
		if c.name == "version" {
			state.Weights = map[string]int{c.group: 1}
			if id, ok := traffic.Missing(s.forward.Write(t.Context(), c.route, state)); !ok || id != c.want {
				t.Errorf("%s: Write names %q", c.name, id)
			}
			continue
		}
		_, err := s.forward.Read(t.Context(), []string{live, c.route})
		if id, ok := traffic.Missing(err); !ok || id != c.want {
			t.Errorf("%s: Read names %q: %v", c.name, id, err)
		}
	}
	_, err := s.api.DeleteAlias(t.Context(), &api.DeleteAliasInput{FunctionName: aws.String("shop"), Name: aws.String("live")})
	must(t, err)
	state.Weights = map[string]int{version(1): 1}
	for _, r := range []*lambda.Router{s.forward, s.rollback} {
		if id, ok := traffic.Missing(r.Write(t.Context(), live, state)); !ok || id != live {
			t.Errorf("Write of a deleted alias names %q", id)
		}
	}
}

func TestRouter_unpublishedVersion(t *testing.T) {
	s := newSite(t, 1)
	s.change("$LATEST", nil)
	if _, err := s.forward.Read(t.Context(), []string{live}); !errors.Is(err, lambda.ErrLatest) {
		t.Errorf("Read returned %v", err)
	}
}

func TestRouter_rejectsOtherFunctionsAndThirdVersions(t *testing.T) {
	s := newSite(t, 3)
	for name, c := range map[string]struct {
		state traffic.State
		want  error
	}{
		"other function": {traffic.State{Weights: map[string]int{"arn:aws:lambda:eu-central-1:123456789012:function:other:1": 1}}, lambda.ErrOtherFunction},
		"third version":  {traffic.State{Weights: map[string]int{version(1): 1, version(2): 1, version(3): 1}}, lambda.ErrInvalid},
		"alias":          {traffic.State{Weights: map[string]int{live: 1}}, lambda.ErrWrongKind},
		"$LATEST":        {traffic.State{Weights: map[string]int{function + ":$LATEST": 1}}, lambda.ErrWrongKind},
		"stickiness":     {traffic.State{Weights: map[string]int{version(1): 1}, Stickiness: time.Second}, lambda.ErrInvalid},
		"response":       {traffic.State{Response: "fixed response 503"}, lambda.ErrInvalid},
	} {
		c.state.Raw = s.read().Raw
		if err := s.forward.Write(t.Context(), live, c.state); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if n := s.count("UpdateAlias"); n != 0 {
		t.Errorf("%d calls for states that an alias cannot have", n)
	}
}

func TestRouter_faults(t *testing.T) {
	t.Parallel()
	for kind, want := range map[faults.Kind]error{
		faults.Throttle: traffic.ErrThrottled, faults.AccessDenied: traffic.ErrDenied, faults.ExpiredToken: traffic.ErrExpired,
		faults.EmptyBody: traffic.ErrIncomplete, faults.HTMLBody: traffic.ErrIncomplete,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel() // what is incomplete is read again for two seconds
			s := newSite(t, 1)
			defer s.srv.Inject(faults.Fault{Kind: kind})()
			calls := map[string]func() error{
				"lambda:GetAlias":                 func() error { _, err := s.forward.Read(t.Context(), []string{live}); return err },
				"lambda:GetFunctionConfiguration": func() error { _, err := s.forward.Health(t.Context(), []string{version(1)}); return err },
				"lambda:ListAliases": func() error {
					_, err := s.forward.OtherRoutes(t.Context(), []string{live}, []string{version(1)})
					return err
				},
			}
			for action, call := range calls {
				err := call()
				if failed, named := errors.AsType[*lambda.CallError](err); !errors.Is(err, want) || !named || failed.Action != action || failed.Refused() {
					t.Errorf("%s: %v", action, err)
				}
			}
		})
	}
}

// A list without anything does not mean that nothing uses a version.
func TestRouter_emptyLists(t *testing.T) {
	t.Parallel()
	s := newSite(t, 1)
	defer s.srv.Inject(faults.Fault{Kind: faults.EmptyList, Action: "ListAliases", Times: 1})()
	if found, err := s.forward.References(t.Context(), []string{version(1)}); err != nil || len(found) != 1 {
		t.Errorf("after an empty list: %v, %v", found, err)
	}
	defer s.srv.Inject(faults.Fault{Kind: faults.EmptyList, Action: "ListAliases"})()
	if _, err := s.forward.OtherRoutes(t.Context(), []string{live}, []string{version(1)}); !errors.Is(err, traffic.ErrIncomplete) {
		t.Errorf("a list without the route: %v", err)
	}
}

// Every share of two versions is encoded exactly.
func TestLimits_areExact(t *testing.T) {
	for share := range shift.Full + 1 {
		w := shift.Weights{"a": share, "b": shift.Full - share}
		if got := shift.FromRaw(lambda.Limits().Encode(w)); !got.Equal(w) {
			t.Errorf("%v is encoded as %v", w, got)
		}
	}
}

// fake is an API whose reads can hang.
type fake struct {
	lambda.Client // of the calls that no test makes

	hang    bool
	updates int
}

func (f *fake) GetAlias(ctx context.Context, _ *api.GetAliasInput, _ ...func(*api.Options)) (*api.GetAliasOutput, error) {
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &api.GetAliasOutput{FunctionVersion: aws.String("1"), RevisionId: aws.String("r1")}, nil
}

func (f *fake) UpdateAlias(ctx context.Context, in *api.UpdateAliasInput, _ ...func(*api.Options)) (*api.UpdateAliasOutput, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.updates++
	if in.RevisionId != nil {
		return nil, errors.New("a revision without a read")
	}
	return &api.UpdateAliasOutput{}, nil
}

// A write that Lambda carries out after its caller gave it up does not undo the rollback that came in between.
func TestRouter_lateWrite(t *testing.T) {
	s := newSite(t, 2)
	stable := s.read()
	ctx, cancel := context.WithCancel(t.Context())
	arrived, released := make(chan int, 1), make(chan struct{})
	var first atomic.Bool
	t.Cleanup(s.srv.Hook(func(c localaws.Call) {
		if c.Action == "UpdateAlias" && first.CompareAndSwap(false, true) {
			arrived <- c.ID
			<-released
		}
	}))
	ended := make(chan error, 1)
	go func() {
		state := stable
		state.Weights = map[string]int{version(1): 500, version(2): 500}
		ended <- s.forward.Write(ctx, live, state)
	}()
	id := <-arrived
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the write returned %v", err)
	}
	must(t, s.rollback.Write(t.Context(), live, stable))
	close(released)
	late, err := s.srv.AwaitCall(t.Context(), func(c localaws.Call) bool { return c.ID == id && c.Status != 0 })
	must(t, err)
	if got := s.read(); late.ErrorCode != "PreconditionFailedException" || !got.Equal(stable) {
		t.Errorf("the late write ended with %q, and the alias has %v", late.ErrorCode, got.Weights)
	}
}
