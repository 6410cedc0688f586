package shift

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// secrets are the values that the gates of this test read from variables.
var secrets = map[string]string{
	"HTTP_SECRET":       "Bearer http-0a1b2c3d4e5f",
	"PROMETHEUS_SECRET": "prometheus-5f4e3d2c1b0a",
	"PROMETHEUS_HEADER": "tenant-aa11bb22cc33",
	"WEBHOOK_SECRET":    "webhook-99887766aabb",
	"WEBHOOK_HEADER":    "Basic d2ViaG9vazpoZWFkZXItc2VjcmV0",
	"NOTIFY_SECRET":     "notify-1122334455aa",
	"NOTIFY_HEADER":     "Bearer notify-header-66778899bb",
}

// slackPath is the secret part of a URL of Slack.
const slackPath = "T0SECRET11/B0SECRET22/slack-33445566cc"

// echo answers every request with an error that repeats the request.
func echo(t *testing.T) (url string, received func() string) {
	var mu sync.Mutex
	var all strings.Builder
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var sent bytes.Buffer
		_, _ = fmt.Fprintf(&sent, "Path: %s\r\n", r.URL.Path)
		_ = r.Header.Write(&sent)
		mu.Lock()
		all.WriteString(sent.String())
		mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/api/v1/") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":%q}`, sent.String())
			return
		}
		w.Header().Set("X-Echo", strings.ReplaceAll(sent.String(), "\r\n", " "))
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.Copy(w, &sent)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() string {
		mu.Lock()
		defer mu.Unlock()
		return all.String()
	}
}

// gatesWithSecrets call the echo server with every argument that takes a secret by
// name.
func gatesWithSecrets(url string, dry bool) string {
	return fmt.Sprintf(`
  gate {
    name     = "asks"
    interval = "200ms"
    dry_run  = %[2]t
    http {
      url         = %[1]q
      headers_env = { "Authorization" = "HTTP_SECRET" }
    }
  }
  gate {
    name     = "queries"
    interval = "200ms"
    dry_run  = true
    prometheus {
      url              = %[1]q
      query            = "up"
      min              = 1
      bearer_token_env = "PROMETHEUS_SECRET"
      headers_env      = { "X-Scope-OrgID" = "PROMETHEUS_HEADER" }
    }
  }
  gate {
    name     = "calls"
    interval = "200ms"
    dry_run  = true
    webhook {
      url         = %[1]q
      secret_env  = "WEBHOOK_SECRET"
      headers_env = { "Authorization" = "WEBHOOK_HEADER" }
    }
  }
`, url, dry)
}

// destinationsWithSecrets are the echo server with every argument that takes a secret by name, and a
// hook.
func destinationsWithSecrets(url, hook string) string {
	return fmt.Sprintf(`
  notify {
    name = "refuses"
    webhook {
      url         = %[1]q
      secret_env  = "NOTIFY_SECRET"
      headers_env = { "Authorization" = "NOTIFY_HEADER" }
    }
  }
  notify {
    name = "refuses-as-slack"
    slack { url_env = "SLACK_URL" }
  }
  notify {
    name = "accepts"
    webhook {
      url        = %[2]q
      secret_env = "NOTIFY_SECRET"
    }
  }`, url, hook)
}

func TestSecrets_appearNowhere(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Quick())
	url, received := echo(t)
	log := filepath.Join(t.TempDir(), "trace.log")
	for name, value := range secrets {
		w.Terraform.Env = append(w.Terraform.Env, name+"="+value)
	}
	reports, summary := filepath.Join(t.TempDir(), "reports"), filepath.Join(t.TempDir(), "summary.md")
	w.Terraform.Env = append(w.Terraform.Env, "TF_LOG=TRACE", "TF_LOG_PATH="+log, "BLUEGREEN_REPORT_DIR="+reports, "GITHUB_STEP_SUMMARY="+summary)
	hook := e2e.NewHook(t, secrets["NOTIFY_SECRET"])
	w.Terraform.Env = append(w.Terraform.Env, "SLACK_URL="+url+"/services/"+slackPath)
	e2e.Notify(w, destinationsWithSecrets(url, hook.URL))
	said := map[string]string{}
	w.SetGates(gatesWithSecrets(url, false)) // acted on
	w.MustConfigure("green")
	said["error"] = w.MustFail()
	said["refused"] = w.MustFail()
	w.SetGates(gatesWithSecrets(url, true)) // evaluated and reported
	w.MustDeploy("green", rehearsal.AppTerms{Version: "2.1"})
	w.MustConfigure("green")
	said["plan"] = w.MustRun("plan", "-no-color", "-out=secret.tfplan")
	said["show"] = w.MustRun("show", "-json", "secret.tfplan")
	said["apply"] = w.MustApply()
	said["state"] = w.MustRun("show", "-json")
	said["secret.tfplan"] = unzipped(t, filepath.Join(w.Terraform.Dir, "secret.tfplan"))
	for _, file := range []string{log, filepath.Join(w.Terraform.Dir, "terraform.tfstate")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		said[filepath.Base(file)] = string(text)
	}
	for _, pattern := range []string{"*.jsonl", "*.html"} {
		said[pattern] = contents(t, filepath.Join(reports, pattern))
	}
	said["summary"] = contents(t, summary)
	said["notifications"] = hook.Bodies()
	for name, value := range secrets {
		// The key of a signature is never sent; the server received the others.
		if name != "WEBHOOK_SECRET" && name != "NOTIFY_SECRET" && !strings.Contains(received(), value) {
			t.Errorf("%s was not sent", name)
		}
		checkAbsent(t, name, value[strings.LastIndex(value, " ")+1:], said)
	}
	if !strings.Contains(received(), slackPath) {
		t.Error("the message for Slack was not sent")
	}
	for part := range strings.SplitSeq(slackPath, "/") {
		checkAbsent(t, "SLACK_URL", part, said)
	}
	for _, name := range []string{"refuses", "refuses-as-slack"} {
		if !strings.Contains(said["apply"], fmt.Sprintf("Notifications to %q not delivered", name)) {
			t.Errorf("the apply has no warning about %s:\n%s", name, said["apply"])
		}
	}
	for _, where := range []string{"apply", "error", "trace.log", "*.jsonl", "*.html", "summary", "notifications"} {
		if !strings.Contains(said[where], "asks") {
			t.Errorf("%s does not name the gate:\n%s", where, said[where])
		}
	}
}

// checkAbsent checks that no text has a secret.
func checkAbsent(t *testing.T, name, secret string, said map[string]string) {
	t.Helper()
	for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret)} {
		for where, text := range said {
			if strings.Contains(text, form) {
				t.Errorf("%s appears in %s as %q", name, where, form)
			}
		}
	}
}

// contents returns the content of all files that match a pattern; there must be some.
func contents(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || paths == nil {
		t.Fatalf("there is no %s: %v", pattern, err)
	}
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// unzipped returns the content of all files in a plan file.
func unzipped(t *testing.T, path string) string {
	t.Helper()
	plan, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plan.Close() }()
	var all strings.Builder
	for _, f := range plan.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(&all, r); err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
	}
	return all.String()
}
