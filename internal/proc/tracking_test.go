package proc_test

import (
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

func TestUntracked(t *testing.T) {
	environ := []string{"PATH=/bin", "RUNNER_TRACKING_ID=github_1", "BUILD_ID=7", "BUILD_ID_TEXT=x", "EMPTY="}
	if got := proc.Untracked(environ); !slices.Equal(got, []string{"PATH=/bin", "BUILD_ID_TEXT=x", "EMPTY="}) {
		t.Errorf("got %q", got)
	}
	if got := proc.Untracked(environ, "BUILD_ID"); !slices.Contains(got, "BUILD_ID=7") || len(environ) != 5 || environ[1] != "RUNNER_TRACKING_ID=github_1" {
		t.Errorf("got %q of %q", got, environ)
	}
}
