package shift

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// Terraform runs the plan and the apply in processes of their own, and names the resource that got the error.
func TestShift_countOfTwoOnOneRouteIsRefused(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	// The outputs name the switch without an index.
	if err := os.Remove(filepath.Join(w.Terraform.Dir, "outputs.tf")); err != nil {
		t.Fatal(err)
	}
	const head = "resource \"bluegreen_switch\" \"web\" {\n"
	w.Edit(head, head+"  count = 2\n")
	w.MustConfigure("green")
	mark := w.Mark()
	out := w.MustFail()
	for _, part := range []string{
		"Invalid load_balancer.routes[\"web\"][0]", "Another switch of this configuration has the same route",
		"with bluegreen_switch.web[", "Other switch: entry point web, environments blue and green, active = \"green\"",
	} {
		if !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " "), part) {
			t.Errorf("the error does not contain %q:\n%s", part, out)
		}
	}
	if n := w.Writes(mark); n != 0 {
		t.Errorf("%d writes", n)
	}
	w.MustHaveAll("blue")

	w.Edit("  count = 2\n", "  count = 1\n")
	w.MustApply()
	w.MustHaveAll("green")
	w.LostNothing()
}
