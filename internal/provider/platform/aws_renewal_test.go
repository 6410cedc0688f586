package platform

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// withoutAWS removes the AWS configuration of the machine from the environment.
func withoutAWS(t *testing.T) (credentials, config string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	dir := t.TempDir()
	return filepath.Join(dir, "credentials"), filepath.Join(dir, "config")
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func keys(id string) string {
	return fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = secret\naws_session_token = token\n", id)
}

// want checks the key of the current credentials.
func want(t *testing.T, cfg aws.Config, key string) {
	t.Helper()
	got, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || got.AccessKeyID != key {
		t.Errorf("got %q, %v, want %q", got.AccessKeyID, err, key)
	}
}

func invalidate(t *testing.T, cfg aws.Config) {
	t.Helper()
	cache, ok := cfg.Credentials.(*aws.CredentialsCache)
	if !ok {
		t.Fatalf("the credentials are %T", cfg.Credentials)
	}
	cache.Invalidate()
}

// Keys that a tool writes to the credentials file again are picked up once the old ones
// are refused.
func TestLoad_credentialsFileIsReadAgain(t *testing.T) {
	file, shared := withoutAWS(t)
	writeFile(t, file, keys("AKIAOLD"))
	writeFile(t, shared, "")
	cfg, err := AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}}.load(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	want(t, cfg, "AKIAOLD")
	writeFile(t, file, keys("AKIANEW"))
	want(t, cfg, "AKIAOLD")
	invalidate(t, cfg)
	want(t, cfg, "AKIANEW")
}

// fakeSTS assumes a role with new keys each time, unless the caller's keys are AKIAOLD
// and expired.
type fakeSTS struct {
	url     string
	expired atomic.Bool
	n       atomic.Int64
	tokens  atomic.Value // the last web identity token
	region  atomic.Value // of the last signature
}

func newFakeSTS(t *testing.T) *fakeSTS {
	t.Helper()
	f := &fakeSTS{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.tokens.Store(r.FormValue("WebIdentityToken"))
		if scope := strings.Split(r.Header.Get("Authorization"), "/"); len(scope) > 2 { // the request of a web identity is not signed
			f.region.Store(scope[2])
		}
		if f.expired.Load() && strings.Contains(r.Header.Get("Authorization"), "AKIAOLD") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `<ErrorResponse><Error><Code>ExpiredToken</Code><Message>expired</Message></Error></ErrorResponse>`)
			return
		}
		action := r.FormValue("Action")
		_, _ = fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult><Credentials><AccessKeyId>ASIA%[2]d</AccessKeyId><SecretAccessKey>s</SecretAccessKey>`+
			`<SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`,
			action, f.n.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

// A role is assumed again, with the keys that are in the file by then.
func TestLoad_roleIsAssumedAgain(t *testing.T) {
	file, shared := withoutAWS(t)
	sts := newFakeSTS(t)
	writeFile(t, file, keys("AKIAOLD"))
	writeFile(t, shared, "")
	s := AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}, Endpoints: map[string]string{"sts": sts.url},
		Role: &RoleSettings{ARN: "arn:aws:iam::123456789012:role/release", Duration: time.Hour}}
	cfg, err := s.load(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	want(t, cfg, "ASIA1")
	invalidate(t, cfg)
	want(t, cfg, "ASIA2")
	sts.expired.Store(true) // also the keys of the file
	writeFile(t, file, keys("AKIANEW"))
	invalidate(t, cfg)
	want(t, cfg, "ASIA3")
}

// A token file is read again.
func TestLoad_tokenFileIsReadAgain(t *testing.T) {
	file, shared := withoutAWS(t)
	sts := newFakeSTS(t)
	writeFile(t, file, "")
	writeFile(t, shared, "")
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, "old")
	s := AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}, Endpoints: map[string]string{"sts": sts.url},
		Web: &WebSettings{ARN: "arn:aws:iam::123456789012:role/release", TokenFile: token}}
	cfg, err := s.load(t.Context(), "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	want(t, cfg, "ASIA1")
	writeFile(t, token, "new")
	invalidate(t, cfg)
	want(t, cfg, "ASIA2")
	if got := sts.tokens.Load(); got != "new" {
		t.Errorf("the role was assumed with token %q", got)
	}
}
