package kubernetes_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A write without an answer says so: the engine reads the route, and repeats it.
func TestWrite_unanswered(t *testing.T) {
	for _, tt := range []struct {
		kind     localkube.Kind
		is, same bool
	}{
		{localkube.DropAnswer, true, false},
		{localkube.DropConnection, true, true},
		{localkube.ServerError, true, true},
		{localkube.Forbidden, false, true},
		{localkube.Unauthorized, false, true},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			c := shopWith(t)
			before := c.read(t, web)
			weights := map[string]int{group("web-blue"): 95, group("web-green"): 5}
			remove := c.Inject(localkube.Fault{Kind: tt.kind, Verb: "update"})
			err := c.forward.Write(t.Context(), web, traffic.State{Weights: weights, Raw: before.Raw})
			if errors.Is(err, traffic.ErrUnanswered) != tt.is || err == nil {
				t.Errorf("Write returned %v", err)
			}
			if n := c.Count("update", "httproutes"); n != 1 {
				t.Errorf("%d updates were sent", n)
			}
			remove()
			if now := c.read(t, web); now.Equal(before) != tt.same {
				t.Errorf("the route has %v", now.Weights)
			}
		})
	}
}

// A read without an answer is none of a write.
func TestRead_unanswered(t *testing.T) {
	c := shopWith(t)
	c.Inject(localkube.Fault{Kind: localkube.ServerError})
	ctx, cancel := context.WithTimeout(t.Context(), slow.Deadline(time.Second)) // it is repeated until then
	defer cancel()
	if _, err := c.forward.Read(ctx, []string{web}); err == nil || errors.Is(err, traffic.ErrUnanswered) {
		t.Errorf("Read returned %v", err)
	}
}

// A record whose answer is lost is written all the same; without any answer, it is an error.
func TestRecorder_unanswered(t *testing.T) {
	record := traffic.Record{Shift: "20260102T030405Z-0a1b2c3d", Switch: "0123456789ab", Routes: 1, Phase: traffic.PhaseOpen, Expires: time.Unix(1, 0).UTC()}
	for _, kind := range []localkube.Kind{localkube.DropAnswer, localkube.DropConnection, localkube.ServerError} {
		t.Run(string(kind), func(t *testing.T) {
			c := shopWith(t)
			recorder := kubernetes.NewRecorder(c.forward)
			c.Inject(localkube.Fault{Kind: kind, Verb: "update", Times: 1})
			must(t, recorder.Put(t.Context(), []string{web}, record, true))
			found, err := recorder.Records(t.Context(), []string{web})
			must(t, err)
			if len(found[web]) != 1 {
				t.Errorf("found %v", found)
			}
			c.Inject(localkube.Fault{Kind: kind, Verb: "update"})
			if err := recorder.Remove(t.Context(), []string{web}, record.Shift); kind != localkube.DropAnswer && !errors.Is(err, traffic.ErrUnanswered) {
				t.Errorf("Remove without an answer returned %v", err)
			}
		})
	}
}
