package elb_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A write that may have been executed is not repeated, except in a rollback: somebody may have undone it.
// What was not executed is, as every read.
func TestWrite_withoutAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer     func(int, *http.Request) (*http.Response, error)
		unanswered bool
	}{
		"hangs":        {func(_ int, req *http.Request) (*http.Response, error) { return hang(req) }, true},
		"server error": {func(int, *http.Request) (*http.Response, error) { return refusal(500, "InternalFailure", "again") }, true},
		"connection lost": {func(int, *http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
		}, true},
		"no connection": {func(int, *http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}, false},
		"throttled": {func(int, *http.Request) (*http.Response, error) { return throttled() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const attempts = 3
				w := &wire{}
				w.answer = func(n int, req *http.Request) (*http.Response, error) {
					if n <= attempts-1 {
						return c.answer(n, req)
					}
					return reply(http.StatusOK, `<ModifyListenerResponse><ModifyListenerResult><Listeners/></ModifyListenerResult></ModifyListenerResponse>`)
				}
				state := traffic.State{Weights: map[string]int{blue: 1}, Raw: map[string]any{"route": listener, "actions": []any{map[string]any{"Type": "forward", "TargetGroupArn": blue}}}}
				must(t, elb.Restore(&state))
				forward, rollback := pair(w, elb.Options{MaxAttempts: awscall.DefaultMaxAttempts})
				err := forward.Write(t.Context(), listener, state)
				if n := len(w.hosts); c.unanswered && (!errors.Is(err, traffic.ErrUnanswered) || n != 1) || !c.unanswered && (err != nil || n != attempts) {
					t.Errorf("forward returned %v after %d attempts", err, n)
				}
				w.hosts = nil
				if err := rollback.Write(t.Context(), listener, state); err != nil || len(w.hosts) != attempts {
					t.Errorf("the rollback returned %v after %d attempts", err, len(w.hosts))
				}
			})
		})
	}
}
