package route53_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestInSync(t *testing.T) {
	t.Parallel()
	d := newDNS(t, localaws.WithRecordPropagation(0))
	d.app()
	routes := []string{d.route(appName, "A"), d.route(appName, "AAAA")}
	expect := func(router *route53.Router, want bool, calls string) {
		t.Helper()
		var got bool
		var err error
		if made := d.during(func() { got, err = router.InSync(t.Context(), routes) }); got != want || err != nil || made != calls {
			t.Errorf("InSync returned %t, %v with %s, want %t with %s", got, err, made, want, calls)
		}
	}
	s := d.read("A")
	expect(d.forward, true, "")
	release := d.srv.Route53().Hold()
	must(t, d.forward.Write(t.Context(), routes[0], d.to(s, 95, 5)))
	expect(d.forward, false, "GetChange 1")
	must(t, d.rollback.Write(t.Context(), routes[0], d.to(s, 100, 0)))
	expect(d.rollback, false, "GetChange 1") // the newest first
	expect(d.forward, false, "GetChange 1")
	if got, err := d.forward.InSync(t.Context(), []string{"Z9/app.example.com/A"}); !got || err != nil {
		t.Errorf("for a zone without changes: %t, %v", got, err)
	}
	release()
	expect(d.forward, true, "GetChange 2")
	expect(d.rollback, true, "")

	must(t, d.forward.Write(t.Context(), routes[0], d.to(s, 95, 5)))
	d.srv.Inject(faults.Fault{Action: "GetChange", Kind: faults.AccessDenied, Times: 1})
	if got, err := d.forward.InSync(t.Context(), routes); got || !errors.Is(err, traffic.ErrDenied) {
		t.Errorf("got %t, %v", got, err)
	}
	expect(d.forward, true, "GetChange 1")
	if _, err := d.forward.InSync(t.Context(), []string{"x"}); !errors.Is(err, route53.ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestInSync_incompleteAnswer(t *testing.T) {
	w := &wire{answer: func(action string, _ int, _ *http.Request) (*http.Response, error) {
		switch action {
		case list:
			return listed(weighted("A", "blue", 50), weighted("A", "green", 50))
		case change:
			return accepted()
		}
		return reply(http.StatusOK, `<GetChangeResponse></GetChangeResponse>`)
	}}
	forward, _ := pair(w, route53.Options{})
	states, err := forward.Read(t.Context(), []string{web})
	must(t, err)
	states[0].Weights = map[string]int{blue: 40, green: 60}
	must(t, forward.Write(t.Context(), web, states[0]))
	if got, err := forward.InSync(t.Context(), []string{web}); got || !errors.Is(err, traffic.ErrIncomplete) {
		t.Errorf("got %t, %v", got, err)
	}
}

// A batch whose answer was lost has been executed, but its change is not known: the write that repeats it finds
// out whether it is in sync by another change.
func TestInSync_afterALostAnswer(t *testing.T) {
	t.Parallel()
	d := newDNS(t, localaws.WithRecordPropagation(0))
	d.app()
	s, routes := d.read("A"), []string{d.route(appName, "A")}
	release := d.srv.Route53().Hold()
	d.srv.Inject(faults.Fault{Action: change, Kind: faults.DropAnswer, Times: 1})
	if err := d.forward.Write(t.Context(), routes[0], d.to(s, 95, 5)); !errors.Is(err, traffic.ErrUnanswered) {
		t.Fatalf("a write without an answer returned %v", err)
	}
	must(t, d.forward.Write(t.Context(), routes[0], d.to(s, 95, 5)))
	if got := d.weights(appName, "A"); got != "blue 95, green 5" {
		t.Errorf("the weights are %s", got)
	}
	if got, err := d.forward.InSync(t.Context(), routes); got || err != nil {
		t.Errorf("while the change is PENDING: %t, %v", got, err)
	}
	release()
	if got, err := d.forward.InSync(t.Context(), routes); !got || err != nil {
		t.Errorf("once it is INSYNC: %t, %v", got, err)
	}
}
