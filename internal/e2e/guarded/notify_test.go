//go:build linux

package guarded

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// The provider is killed in mid-shift: the guardian notifies of the rollback, with the secret from its
// environment. A destination that does not answer does not keep it.
func TestGuardian_notifies(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, quick)
	hook := e2e.NewHook(t, "a-secret-key")
	w.Terraform.Env = append(w.Terraform.Env, "NOTIFY_KEY=a-secret-key", "NOTIFY_NOBODY=http://127.0.0.1:1/services/hidden")
	w.MustConfigure("green")
	e2e.Notify(w, fmt.Sprintf(`
  notify {
    name = "audit"
    webhook {
      url        = %q
      secret_env = "NOTIFY_KEY"
    }
  }
  notify {
    name = "nobody"
    slack { url_env = "NOTIFY_NOBODY" }
  }`, hook.URL))
	if !w.StruckAt(e2e.Kill(e2e.AllButGuards), 2, func(call localaws.Call) bool { return strings.HasPrefix(call.Action, "Modify") }) {
		t.Fatal("the apply was not killed")
	}
	if late := returned(w, time.Now(), 0); late != "" {
		t.Error(late)
	}
	w.Eventually("the guardian notifies", func() bool { return hook.Find("rolled_back") != nil })
	n := hook.Find("rolled_back")
	if n.ID != n.Data.Shift+"/guardian/1" || !n.Data.Guardian || len(n.Data.Weights) != 1 || n.Data.Weights["blue"] != 100 || n.Data.Reason != "the process of the shift died, and its guardian returned the traffic" {
		t.Errorf("got %+v", n)
	}
	if hook.Find("completed") != nil || hook.Find("failed") != nil {
		t.Errorf("got %s", hook.Bodies())
	}
	w.LostNothing()
}
