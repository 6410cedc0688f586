package route53_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestErrors_haveAMeaning(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
		want   error
	}{
		{400, "Throttling", traffic.ErrThrottled},
		{400, "PriorRequestNotComplete", traffic.ErrThrottled},
		{403, "AccessDenied", traffic.ErrDenied},
		{403, "AccessDeniedException", traffic.ErrDenied},
		{403, "ExpiredToken", traffic.ErrExpired},
		{403, "InvalidClientTokenId", traffic.ErrExpired},
		{404, "NoSuchHostedZone", traffic.ErrNotFound},
		{400, "InvalidInput", nil},
		{500, "InternalFailure", nil},
		{503, "ServiceUnavailable", nil},
	} {
		w := &wire{answer: func(string, int, *http.Request) (*http.Response, error) {
			return refusal(tt.status, tt.code, "the reason")
		}}
		forward, _ := pair(w, route53.Options{MaxAttempts: 1})
		_, err := forward.Read(t.Context(), []string{web})
		call, ok := errors.AsType[*route53.CallError](err)
		if !ok || tt.want != nil && !errors.Is(err, tt.want) || call.Code != tt.code || call.ID != web {
			t.Errorf("%s: got %v", tt.code, err)
			continue
		}
		if want := tt.code == "InvalidInput"; call.Refused() != want {
			t.Errorf("%s: Refused is %t", tt.code, call.Refused())
		}
		if tt.want == nil {
			for _, other := range []error{traffic.ErrThrottled, traffic.ErrDenied, traffic.ErrExpired, traffic.ErrNotFound, traffic.ErrIncomplete} {
				if errors.Is(err, other) {
					t.Errorf("%s: got %v", tt.code, other)
				}
			}
		}
		golden.Record(t, err.Error())
	}
}

// The zone of a route that is gone takes the route with it, and a group as well.
func TestErrors_missingZone(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	route, group := "ZNONE/app.example.com/A", "ZNONE/app.example.com#blue"
	_, err := d.forward.Read(t.Context(), []string{route})
	_, err2 := d.forward.Health(t.Context(), []string{group})
	_, err3 := route53.NewReader(d.forward).References(t.Context(), []string{group})
	if !isMissing(err, route) || !isMissing(err2, group) || !isMissing(err3, group) {
		t.Errorf("got %v, %v, %v", err, err2, err3)
	}
}

// Every fault is an error with the meaning that it has for ELB as well, and changes nothing that is
// not read back.
func TestErrors_ofFaults(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	for _, action := range []string{list, change} {
		for kind, want := range map[faults.Kind]error{
			faults.Throttle: traffic.ErrThrottled, faults.AccessDenied: traffic.ErrDenied, faults.ExpiredToken: traffic.ErrExpired,
			faults.EmptyBody: traffic.ErrIncomplete, faults.HTMLBody: traffic.ErrIncomplete,
			faults.ServerError: nil, faults.DropConnection: nil, faults.CutAnswer: nil,
		} {
			remove := d.srv.Inject(faults.Fault{Action: action, Kind: kind})
			err := d.forward.Write(t.Context(), d.route(appName, "A"), d.to(s, 95, 5))
			remove()
			call, named := errors.AsType[*route53.CallError](err)
			if !named || !strings.HasSuffix(call.Action, action) || want != nil && !errors.Is(err, want) {
				t.Errorf("%s of %s: Write returned %v, want %v", kind, action, err, want)
			}
			if strings.Contains(fmt.Sprint(err), secretKey) {
				t.Errorf("%s: the error has a secret: %v", kind, err)
			}
			must(t, d.forward.Write(t.Context(), d.route(appName, "A"), d.to(s, 100, 0)))
		}
	}
}

// A lost write is seen by the next read, and written again.
func TestErrors_lostWrite(t *testing.T) {
	t.Parallel()
	d := newDNS(t)
	d.app()
	s := d.read("A")
	d.srv.Inject(faults.Fault{Action: change, Kind: faults.LostWrite, Times: 1})
	for _, want := range []int{0, 5} {
		must(t, d.forward.Write(t.Context(), d.route(appName, "A"), d.to(s, 95, 5)))
		if got := d.read("A").Weights[d.group(appName, "green")]; got != want {
			t.Errorf("green has %d, want %d", got, want)
		}
	}
}

// Every read ends, also where nothing limits it but the router.
func TestErrors_hangingReadsEnd(t *testing.T) {
	for name, read := range map[string]func(context.Context, *route53.Router) error{
		"references": func(ctx context.Context, r *route53.Router) error {
			_, err := r.References(ctx, []string{blue})
			return err
		},
		"other routes": func(ctx context.Context, r *route53.Router) error {
			_, err := r.OtherRoutes(ctx, []string{web}, []string{blue})
			return err
		},
		"groups": func(ctx context.Context, r *route53.Router) error {
			return r.CheckGroups(ctx, traffic.Entry{Routes: []string{web}, Groups: []string{blue}})
		},
		"reads of a reader": func(ctx context.Context, r *route53.Router) error {
			_, err := route53.NewReader(r).Read(ctx, []string{web})
			return err
		},
		"health with a reader": func(ctx context.Context, r *route53.Router) error {
			_, err := route53.NewReader(r).IdleHealth(ctx, []string{blue})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{answer: func(_ string, _ int, req *http.Request) (*http.Response, error) { return hang(req) }}
			forward, _ := pair(w, route53.Options{})
			err := read(t.Context(), forward)
			if call, named := errors.AsType[*route53.CallError](err); !named || !errors.Is(err, context.DeadlineExceeded) || call.Action != "route53:ListResourceRecordSets" {
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
}
