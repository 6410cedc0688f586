package route53_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func answerWith(sets ...string) *wire {
	return &wire{answer: func(string, int, *http.Request) (*http.Response, error) { return listed(sets...) }}
}

// An account has five requests per second, from whatever clients.
func TestRouters_keepTheRequestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answerWith(weighted("A", "blue", 1))
		forward, rollback := pair(w, route53.Options{})
		began := time.Now()
		var calls sync.WaitGroup
		for i := range 20 {
			router := forward
			if i%4 == 0 {
				router = rollback
			}
			calls.Go(func() {
				if _, err := router.Read(t.Context(), []string{web}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("20 requests took %s, want 3s: five at once and five per second", took)
		}
		for i, at := range w.at[5:] {
			if got, want := at.Sub(began), time.Duration(i+1)*200*time.Millisecond; got != want {
				t.Errorf("request %d was made after %s, want %s", i+6, got, want)
			}
		}
	})
}

// Clients of the same account share its rate; the account is of this test alone.
func TestRouters_shareTheRateOfAnAccount(t *testing.T) {
	w := answerWith(weighted("A", "blue", 1))
	account := fmt.Sprint(t.Name(), rand.Int())
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(30*time.Second)) // a token takes longer
	defer cancel()
	var failed error
	for range 6 {
		forward, _ := pair(w, route53.Options{Account: account, RequestsPerSecond: 0.0001})
		if _, err := forward.Read(ctx, []string{web}); err != nil {
			failed = err
		}
	}
	if !errors.Is(failed, traffic.ErrThrottled) || len(w.at) != 5 {
		t.Errorf("%d requests of six clients were made, the last returned %v", len(w.at), failed)
	}
	if want := "route53:ListResourceRecordSets of app.example.com A: the time for the call ends before the request rate of Route 53 admits it"; failed != nil && failed.Error() != want {
		t.Errorf("got %q, want %q", failed, want)
	}
}

// A rollback waits for one request at most, however many reads are in line.
func TestRouters_rollbacksComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := answerWith(weighted("A", "blue", 1))
		forward, rollback := pair(w, route53.Options{})
		var reads sync.WaitGroup
		for range 30 {
			reads.Go(func() { _, _ = forward.Read(t.Context(), []string{web}) })
		}
		synctest.Wait()
		began := time.Now()
		if _, err := rollback.Read(t.Context(), []string{web}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 400*time.Millisecond {
			t.Errorf("the rollback waited for %s", took)
		}
		reads.Wait()
	})
}
