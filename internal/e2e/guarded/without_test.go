//go:build linux

package guarded

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// ownProvider replaces the provider's binary, to which "terraform init" has made a link, by a copy, and
// returns its path.
func ownProvider(t *testing.T, w *e2e.World) string {
	t.Helper()
	links, err := filepath.Glob(filepath.Join(w.Terraform.Dir, ".terraform/providers/*/bluegreen/bluegreen/*/*"))
	if err != nil || len(links) != 1 {
		t.Fatalf("the provider is in %v (%v)", links, err)
	}
	shared, err := filepath.EvalSymlinks(links[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(links[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(links[0], os.DirFS(shared)); err != nil {
		t.Fatal(err)
	}
	binaries, err := filepath.Glob(filepath.Join(links[0], "terraform-provider-bluegreen*"))
	if err != nil || len(binaries) != 1 {
		t.Fatalf("the binaries are %v (%v)", binaries, err)
	}
	return binaries[0]
}

// From the first call of an apply on, nothing can execute the provider's binary, as on a file
// system that was mounted again with noexec. The shift goes on, and the result says so once.
func TestGuardian_cannotBeStarted(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
	path := ownProvider(t, w)
	w.MustConfigure("green")
	w.MustRun("plan", "-no-color", "-out=planned")
	var once sync.Once
	remove := w.Balancer.Hook(func(localaws.Call) {
		once.Do(func() {
			if err := os.Chmod(path, 0o600); err != nil {
				t.Error(err)
			}
		})
	})
	defer remove()
	out, ok := w.Start("planned").Wait()
	if !ok {
		t.Errorf("the apply failed:\n%s", out)
	}
	w.MustHaveAll("green")
	if n := strings.Count(out, "had no guardian"); n != 1 || !strings.Contains(out, "permission denied") {
		t.Errorf("the result says %d times that there was no guardian:\n%s", n, out)
	}
	w.LostNothing()
}

// The API does not answer the guardian: it ends when rollback_timeout is over, and the next apply
// knows from the record.
func TestGuardian_endsWithRollbackTimeout(t *testing.T) {
	t.Parallel()
	for _, kind := range []faults.Kind{faults.AccessDenied, faults.Slow} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, apply := holding(t, func(w *e2e.World) {
				w.Edit("    bake   = var.hold\n", "    bake   = var.hold\n    rollback_timeout = \"10s\"\n")
			})
			end := w.Balancer.Inject(faults.Fault{Kind: kind, Delay: time.Hour})
			apply.Kill(e2e.AllButGuards)
			died := time.Now()
			w.Eventually("the guardian has ended", func() bool { return len(apply.Guardians()) == 0 })
			if took := time.Since(died); slow.Exceeds(took, 13*time.Second) {
				t.Errorf("it ended after %s", took)
			}
			end()
			if weights := w.Weights(); weights["green"] != 5 {
				t.Errorf("the split is %v", weights)
			}
			w.Pace = quick
			rollsBack(t, w)
		})
	}
}
