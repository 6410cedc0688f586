package e2e

import (
	"errors"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// CachingResolver starts unbound, which asks a name server for example.com, and returns its address. Where unbound is not
// installed it returns the address of the name server, which caches nothing.
func CachingResolver(t *testing.T, nameserver string) (address string, caches bool) {
	t.Helper()
	r, err := rehearsal.StartCachingResolver(t.Context(), t.TempDir(), nameserver, "example.com")
	if errors.Is(err, rehearsal.ErrNoResolver) {
		t.Logf("%v: every request resolves without a cache", err)
		return nameserver, false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out := r.Close(); t.Failed() {
			t.Logf("unbound: %s", out)
		}
	})
	return r.Address, true
}
