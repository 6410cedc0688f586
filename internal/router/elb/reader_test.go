package elb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// manyListeners returns listeners that answer 500, 501, and so on.
func manyListeners(n int) (*fake, []string) {
	f := &fake{listeners: map[string][]types.Action{}}
	var routes []string
	for i := range n {
		arn := fmt.Sprintf("%slistener/app/web/1/%d", prefix, i)
		routes = append(routes, arn)
		f.listeners[arn] = []types.Action{fixed(fmt.Sprint(500 + i))}
	}
	return f, routes
}

func TestReader_batchesConcurrentReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(90)
		r := elb.NewReader(router(f))
		var all sync.WaitGroup
		for i := range routes {
			all.Go(func() {
				found, err := r.Read(t.Context(), []string{routes[i], routes[0]})
				if err != nil || found[0].Response != fmt.Sprint("fixed response ", 500+i) || found[1].Response != "fixed response 500" {
					t.Errorf("reader %d read %v, %v", i, found, err)
				}
			})
		}
		all.Wait()
		slices.Sort(f.calls)
		if want := []string{"listeners 10", "listeners 20", "listeners 20", "listeners 20", "listeners 20"}; !slices.Equal(f.calls, want) {
			t.Errorf("90 resources took the calls %q, want %q", f.calls, want)
		}
	})
}

// A refresh of many switches reads the health of a limited number of groups, and of none twice.
func TestReader_idleHealthIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		r := elb.NewReader(router(f))
		var all sync.WaitGroup
		found := make([]int, 75)
		for i := range found {
			all.Go(func() {
				group := func(n int) string { return fmt.Sprintf("%stargetgroup/app-%d/1", prefix, n) }
				health, err := r.IdleHealth(t.Context(), []string{group(2 * i), group(2*i + 1)})
				if err != nil {
					t.Errorf("reader %d: %v", i, err)
				}
				if found[i] = len(health); found[i] == 0 {
					return
				}
				if again, err := r.IdleHealth(t.Context(), []string{group(2 * i)}); err != nil || len(again) != 1 {
					t.Errorf("reader %d reads %v, %v", i, again, err)
				}
			})
		}
		all.Wait()
		total := 0
		for _, n := range found {
			total += n
		}
		if calls := len(f.calls); total != 100 || calls != 100 {
			t.Errorf("%d groups of 150 were read with %d calls, want 100", total, calls)
		}
	})
}

func TestReader_sharesACallInProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(1)
		f.hold = make(chan struct{})
		r := elb.NewReader(router(f))
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if _, err := r.Read(t.Context(), routes); err != nil {
					t.Error(err)
				}
			})
			<-time.After(3 * time.Second)
		}
		close(f.hold)
		all.Wait()
		if len(f.calls) != 1 {
			t.Errorf("the calls were %q", f.calls)
		}
	})
}

func TestReader_caches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(1)
		r := elb.NewReader(router(f))
		var answers []string
		readOnce := func() {
			found, err := r.Read(t.Context(), routes)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, found[0].Response)
			f.listeners[routes[0]] = []types.Action{fixed(fmt.Sprint(501 + len(f.calls)))}
		}
		readOnce()
		readOnce() // cached
		<-time.After(3 * time.Second)
		readOnce() // too old
		r.Invalidate()
		readOnce() // forgotten
		want := []string{"fixed response 500", "fixed response 500", "fixed response 502", "fixed response 503"}
		if !slices.Equal(answers, want) || len(f.calls) != 3 {
			t.Errorf("read %q in %d calls, want %q", answers, len(f.calls), want)
		}
	})
}

func TestReader_returnsCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{listeners: map[string][]types.Action{listener: {toOne(blue)}}}
		r := elb.NewReader(router(f))
		for range 2 {
			found, err := r.Read(t.Context(), []string{listener})
			if err != nil || found[0].Weights[blue] != 1 {
				t.Errorf("read %v, %v", found, err)
			}
			clear(found[0].Weights)
		}
	})
}

func TestReader_isolatesAMissingRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(3)
		delete(f.listeners, routes[1])
		r := elb.NewReader(router(f))
		var all sync.WaitGroup
		for i, want := range []error{nil, traffic.ErrNotFound, nil} {
			all.Go(func() {
				_, err := r.Read(t.Context(), routes[i:i+1])
				call, ok := errors.AsType[*elb.CallError](err)
				if !errors.Is(err, want) || ok && call.ARN != routes[i] {
					t.Errorf("reader %d got %v", i, err)
				}
			})
		}
		all.Wait()
		f.listeners[routes[1]] = []types.Action{fixed("503")}
		if _, err := r.Read(t.Context(), routes[1:2]); err != nil {
			t.Errorf("the error is cached: %v", err)
		}
	})
}

func TestReader_canceledCallerLeavesOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(1)
		f.hold = make(chan struct{})
		r := elb.NewReader(router(f))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := r.Read(ctx, routes); !errors.Is(err, context.Canceled) {
				t.Errorf("the canceled caller got %v", err)
			}
		})
		all.Go(func() {
			if found, err := r.Read(t.Context(), routes); err != nil || len(found) != 1 {
				t.Errorf("the other caller got %v, %v", found, err)
			}
		})
		<-time.After(time.Second)
		cancel()
		<-time.After(time.Second)
		close(f.hold)
		all.Wait()
	})
}

func TestReader_listsEachLoadBalancerOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, routes := manyListeners(4)
		f.rules = map[string][]types.Rule{routes[0]: {{RuleArn: new(rule), Priority: new("7"), Actions: []types.Action{toOne(blue)}}}}
		r := elb.NewReader(router(f))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				others, err := r.OtherRoutes(t.Context(), routes, []string{blue})
				if err != nil || len(others) != 1 || others[0].Route != rule {
					t.Errorf("Elsewhere returned %v, %v", others, err)
				}
			})
		}
		all.Wait()
		if len(f.calls) != 1+4 {
			t.Errorf("the calls were %q", f.calls)
		}
	})
}
