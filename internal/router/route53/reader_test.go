package route53_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// inspector is what Router and Reader have in common.
type inspector interface {
	traffic.References
	OtherRoutes(ctx context.Context, routes, groups []string) ([]traffic.OtherRoute, error)
}

func referencesBy(answers func() *wire) map[string]inspector {
	forward, _ := pair(answers(), route53.Options{RequestsPerSecond: unlimited})
	return map[string]inspector{"router": forward, "reader": route53.NewReader(forward)}
}

// Whatever the resources of a run read of a name is one call.
func TestReader_sharesCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mixed()
		forward, _ := pair(w, route53.Options{})
		reader := route53.NewReader(forward)
		var calls sync.WaitGroup
		all := func(do func() error) {
			for range 5 {
				calls.Go(func() {
					if err := do(); err != nil {
						t.Error(err)
					}
				})
			}
		}
		everything := func() {
			all(func() error { _, err := reader.Read(t.Context(), []string{web, web6}); return err })
			all(func() error { _, err := reader.References(t.Context(), []string{blue, green}); return err })
			all(func() error { _, err := reader.OtherRoutes(t.Context(), []string{web}, []string{blue}); return err })
			calls.Wait()
		}
		everything()
		everything()
		if len(w.actions) != 1 {
			t.Errorf("30 reads made %d calls", len(w.actions))
		}
		<-time.After(3 * time.Second)
		everything()
		reader.Invalidate()
		everything()
		if len(w.actions) != 3 {
			t.Errorf("after two seconds, and after Invalidate, %d calls were made", len(w.actions))
		}
		if records, err := reader.Records(t.Context(), []string{web}); len(records) != 0 || err != nil {
			t.Errorf("got the records %v, %v", records, err)
		}
	})
}

// A refresh of one switch does not fail because of another one.
func TestReader_failsForItsOwnRoutes(t *testing.T) {
	forward, _ := pair(mixed(), route53.Options{RequestsPerSecond: unlimited})
	reader := route53.NewReader(forward)
	gone := zone + "/gone.example.com/A"
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := reader.Read(t.Context(), []string{gone}); !isMissing(err, gone) {
			t.Errorf("got %v", err)
		}
	})
	calls.Go(func() {
		states, err := reader.Read(t.Context(), []string{web})
		if err != nil || states[0].Weights[green] != 70 {
			t.Errorf("got %v, %v", states, err)
		}
	})
	calls.Wait()
}

func TestReader_returnsCopies(t *testing.T) {
	forward, _ := pair(mixed(), route53.Options{})
	reader := route53.NewReader(forward)
	for range 2 {
		states, err := reader.Read(t.Context(), []string{web})
		must(t, err)
		if len(states[0].Weights) != 2 {
			t.Errorf("got %v", states[0].Weights)
		}
		clear(states[0].Weights)
	}
}

// The health of idle groups is read for a warning, which must not use up the request rate.
func TestReader_limitsIdleHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{answer: func(_ string, _ int, req *http.Request) (*http.Response, error) {
			name := req.URL.Query().Get("name")
			return listed(strings.ReplaceAll(weighted("A", "blue", 1), appName, name))
		}}
		forward, _ := pair(w, route53.Options{})
		reader := route53.NewReader(forward)
		var groups []string
		for i := range 50 {
			groups = append(groups, fmt.Sprintf("%s/app%d.example.com#blue", zone, i))
		}
		health, err := reader.IdleHealth(t.Context(), groups)
		if err != nil || len(health) != 20 || len(w.actions) != 20 {
			t.Errorf("%d groups were read with %d calls, %v", len(health), len(w.actions), err)
		}
		red := zone + "/app0.example.com#red"
		reader = route53.NewReader(forward)
		health, err = reader.IdleHealth(t.Context(), []string{groups[0], red})
		if !errors.Is(err, traffic.ErrNotFound) || len(health) != 1 {
			t.Errorf("got %v, %v", health, err)
		}
	})
}
