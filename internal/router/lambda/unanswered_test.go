package lambda_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
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

// Another process rolls back, because this one was frozen. Its step, whose answer was lost or which is refused
// because of that, does not come again.
func TestWrite_isNotRepeatedAfterARollback(t *testing.T) {
	for name, lost := range map[string]bool{"answer lost": true, "refused": false} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 2)
			stable, step := s.read(), s.read()
			step.Weights = map[string]int{version(1): 500, version(2): 500}
			_, guardian := lambda.NewRouters(config(), lambda.Options{Endpoint: s.srv.URL()})
			rollBack := func() { must(t, guardian.Write(t.Context(), live, stable)) }
			if lost {
				s.srv.Inject(faults.Fault{Kind: faults.DropAnswer, Action: "UpdateAlias", Times: 1})
				if err := s.forward.Write(t.Context(), live, step); !errors.Is(err, traffic.ErrUnanswered) {
					t.Errorf("a write without an answer returned %v", err)
				}
				rollBack()
			} else {
				s.during(rollBack)
			}
			err := s.forward.Write(t.Context(), live, step)
			if got := s.read(); !errors.Is(err, lambda.ErrChanged) || !got.Equal(stable) {
				t.Errorf("the step returned %v, and the alias has %v", err, got.Weights)
			}
		})
	}
}

// A step without an answer is repeated where nobody rolled back, whether it was executed or not.
func TestWrite_isRepeated(t *testing.T) {
	for _, kind := range []faults.Kind{faults.DropAnswer, faults.DropConnection} {
		s := newSite(t, 2)
		step := s.read()
		step.Weights = map[string]int{version(1): 500, version(2): 500}
		s.srv.Inject(faults.Fault{Kind: kind, Action: "UpdateAlias", Times: 1})
		if err := s.forward.Write(t.Context(), live, step); !errors.Is(err, traffic.ErrUnanswered) {
			t.Errorf("%s: a write without an answer returned %v", kind, err)
		}
		must(t, s.forward.Write(t.Context(), live, step))
		if got := s.read(); !got.Equal(step) {
			t.Errorf("%s: the alias has %v", kind, got.Weights)
		}
	}
}
