package lambda_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// An update that may have been executed is not repeated, except in a rollback. One that was throttled is.
func TestWrite_withoutAnAnswer(t *testing.T) {
	for name, unanswered := range map[string]bool{"server error": true, "throttled": false} {
		synctest.Test(t, func(t *testing.T) {
			updates := 0
			w := &wire{answer: func(req *http.Request) (*http.Response, error) {
				if req.Method != http.MethodPut {
					return one()
				}
				switch updates++; {
				case updates > 1:
					return one()
				case unanswered:
					return reply(http.StatusInternalServerError, "ServiceException", `{"message":"again"}`)
				}
				return throttled()
			}}
			forward, rollback := pair(w)
			states, err := forward.Read(t.Context(), []string{live})
			must(t, err)
			states[0].Weights = map[string]int{version(1): 900, version(2): 100}
			err = forward.Write(t.Context(), live, states[0])
			if unanswered && (!errors.Is(err, traffic.ErrUnanswered) || updates != 1) || !unanswered && (err != nil || updates != 2) {
				t.Errorf("%s: forward returned %v after %d updates", name, err, updates)
			}
			updates = 0
			if err := rollback.Write(t.Context(), live, states[0]); err != nil || updates != 2 {
				t.Errorf("%s: the rollback returned %v after %d updates", name, err, updates)
			}
		})
	}
}
