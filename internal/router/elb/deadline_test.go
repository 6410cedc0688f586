package elb_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// Every read ends by itself if the API does not respond, and its error names the call.
func TestRouter_readsHaveDeadlines(t *testing.T) {
	reads := map[string]func(ctx context.Context, r *elb.Router) error{
		"DescribeTargetGroups": usedBlue,
		"DescribeListeners": func(ctx context.Context, r *elb.Router) error {
			_, err := r.OtherRoutes(ctx, []string{listener}, []string{blue})
			return err
		},
		"DescribeTargetGroupAttributes": func(ctx context.Context, r *elb.Router) error {
			_, err := r.LongestDelay(ctx, []string{blue})
			return err
		},
		"DescribeTargetGroupAttributes of slow start": func(ctx context.Context, r *elb.Router) error {
			_, err := r.SlowStarts(ctx, []string{blue})
			return err
		},
		"DescribeTargetGroups of information": func(ctx context.Context, r *elb.Router) error { _, err := r.GroupInfo(ctx, []string{blue}); return err },
		"DescribeTags": func(ctx context.Context, r *elb.Router) error {
			_, err := elb.NewRecorder(r).Records(ctx, []string{listener})
			return err
		},
		"DescribeListeners of a reader": func(ctx context.Context, r *elb.Router) error {
			_, err := elb.NewReader(r).Read(ctx, []string{listener})
			return err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forward, _ := pair(&wire{answer: func(_ int, req *http.Request) (*http.Response, error) { return hang(req) }}, elb.Options{})
				began := time.Now()
				err := read(t.Context(), forward)
				call, named := errors.AsType[*elb.CallError](err)
				if took := time.Since(began); took > 30*time.Second || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v after %s", err, took)
				}
				if !named || !strings.HasSuffix(call.Action, strings.Fields(name)[0]) || strings.Contains(err.Error(), "RequestID") {
					t.Errorf("the error does not name the call, or not in plain words: %v", err)
				}
			})
		})
	}
}
