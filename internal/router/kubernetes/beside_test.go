package kubernetes_test

import (
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The routes of a shift are found by their records, whatever names its rules, and no others.
func TestRecorder_Beside(t *testing.T) {
	t.Parallel()
	c := shopWith(t)
	c.Put(route("HTTPRoute", "api", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}))
	c.Put(route("GRPCRoute", "rpc", []any{backendRef("web-blue", 1)}, []any{backendRef("web-blue", 1)}))
	c.Put(route("HTTPRoute", "other", []any{backendRef("web-blue", 1)}))
	recorder := kubernetes.NewRecorder(c.forward)
	shift := []string{"grpcroute/shop/rpc#1", "httproute/shop/api#r0", web}
	must(t, recorder.Put(t.Context(), shift, traffic.Record{Shift: "s1", Routes: len(shift)}, true))
	got, err := recorder.Beside(t.Context(), []string{web})
	must(t, err)
	if !slices.Equal(got, shift) {
		t.Errorf("got %q, want %q", got, shift)
	}
	records, err := recorder.Records(t.Context(), got)
	must(t, err)
	if len(records) != len(shift) {
		t.Errorf("records of %d routes", len(records))
	}
}
