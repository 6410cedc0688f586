package kubeconfig_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
)

const secret = "s3cret-token"

// write writes a kubeconfig with a context, a cluster and a user of a name.
func write(t *testing.T, path, name, server string) string {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
contexts: [{name: %[1]s, context: {cluster: %[1]s, user: admin}}]
clusters: [{name: %[1]s, cluster: {server: %[2]q}}]
users: [{name: admin, user: {token: %[3]s}}]
`, name, server, secret)
	folder, file := filepath.Split(path)
	return writeText(t, folder, file, text)
}

func writeText(t *testing.T, folder, file, text string) string {
	t.Helper()
	path := filepath.Join(folder, file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// insecure returns the text of a kubeconfig with a cluster whose certificate is not verified.
func insecure(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(data), "server:", "insecure-skip-tls-verify: true, server:", 1)
}

// works reports whether clients with a configuration can read from a cluster.
func works(t *testing.T, config *rest.Config) error {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	_, err = client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).Namespace("shop").List(t.Context(), metav1.ListOptions{})
	return err
}

func cluster(t *testing.T, options ...localkube.Option) *localkube.Server {
	t.Helper()
	server, err := localkube.Start(append(options, localkube.WithToken(secret))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// Every way to configure a cluster leads to it.
func TestSettings_Load(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	server, folder := cluster(t, localkube.WithTLS()), t.TempDir()
	t.Setenv("HOME", folder)
	file := writeText(t, folder, "config", insecure(t, write(t, filepath.Join(folder, "config"), "shop", server.URL())))
	other := write(t, filepath.Join(folder, "other"), "other", "https://127.0.0.1:1")
	exec := writeText(t, folder, "credentials", `#!/bin/sh
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$TOKEN"
`)
	if err := os.Chmod(exec, 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	ca := string(server.CA())
	certificate, key, err := server.ClientCertificate()
	if err != nil {
		t.Fatal(err)
	}
	old := writeText(t, folder, "old", authProvider(server.URL()))
	for name, s := range map[string]kubeconfig.Settings{
		"a token instead of an auth-provider": {Paths: []string{old}, Token: secret},
		"a file":                              {Paths: []string{file}},
		"a file of the user":                  {Paths: []string{"~/config"}},
		"two files":                           {Paths: []string{file, other}},
		"two files, and a context":            {Paths: []string{other, file}, Context: "shop"},
		"a cluster of another":                {Paths: []string{other, file}, Cluster: "shop"},
		"a host and a token":                  {Host: server.URL(), Token: secret, CA: ca},
		"a host instead of a file's":          {Paths: []string{other}, Host: server.URL(), CA: ca},
		"a token instead of a file's":         {Paths: []string{file}, Token: secret, User: ""},
		"a client certificate":                {Host: server.URL(), CA: ca, ClientCertificate: string(certificate), Secret: string(key)},
		"insecure":                            {Host: server.URL(), Token: secret, Insecure: "true"},
		"exec":                                {Host: server.URL(), CA: ca, Exec: &kubeconfig.Exec{APIVersion: "client.authentication.k8s.io/v1", Command: exec, Env: map[string]string{"TOKEN": secret}}},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := s.Load()
			if err != nil {
				t.Fatal(err)
			}
			if err := works(t, config); err != nil {
				t.Error(err)
			}
		})
	}
}

// authProvider is a kubeconfig as gcloud and az wrote it for clients of Kubernetes 1.25 and earlier.
func authProvider(url string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: gke
contexts: [{name: gke, context: {cluster: gke, user: gke}}]
clusters: [{name: gke, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: gke, user: {auth-provider: {name: gcp, config: {access-token: %q, cmd-path: /usr/lib/gcloud}}}}]
`, url, secret)
}

// What is wrong with a configuration names the argument or the variable, and has no secret.
func TestSettings_Load_errors(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	folder := t.TempDir()
	one, two := write(t, filepath.Join(folder, "one"), "shop", "https://one.example.com"), write(t, filepath.Join(folder, "two"), "shop", "https://two.example.com")
	user := writeText(t, folder, "user", strings.ReplaceAll(`apiVersion: v1
kind: Config
current-context: other
contexts: [{name: other, context: {cluster: other, user: admin}}]
clusters: [{name: other, cluster: {server: "https://other.example.com"}}]
users: [{name: admin, user: {token: another}}]
`, "another", secret+"2"))
	gone := writeText(t, folder, "gone", authProvider("https://one.example.com"))
	lost := writeText(t, folder, "lost", "apiVersion: v1\nkind: Config\ncurrent-context: shop\ncontexts: [{name: shop, context: {cluster: gone, user: admin}}]\n")
	for _, c := range []struct {
		name     string
		settings kubeconfig.Settings
		want     error
	}{
		{"nothing", kubeconfig.Settings{}, kubeconfig.ErrNotConfigured},
		{"no file", kubeconfig.Settings{Paths: []string{filepath.Join(folder, "absent")}}, kubeconfig.ErrNoFile},
		{"no file of the environment", kubeconfig.Settings{Paths: []string{filepath.Join(folder, "absent")}, Sources: map[string]string{"config_path": "KUBE_CONFIG_PATH"}}, kubeconfig.ErrNoFile},
		{"no second file", kubeconfig.Settings{Paths: []string{one, filepath.Join(folder, "absent")}}, kubeconfig.ErrNoFile},
		{"not a kubeconfig", kubeconfig.Settings{Paths: []string{writeText(t, folder, "bad", "a: [")}}, kubeconfig.ErrInvalid},
		{"no context", kubeconfig.Settings{Paths: []string{one}, Context: "prod"}, kubeconfig.ErrNoEntry},
		{"no context of the environment", kubeconfig.Settings{Paths: []string{one}, Context: "prod", Sources: map[string]string{"config_context": "KUBE_CTX"}}, kubeconfig.ErrNoEntry},
		{"no current context", kubeconfig.Settings{Paths: []string{writeText(t, folder, "empty", "apiVersion: v1\nkind: Config\n")}}, kubeconfig.ErrNoEntry},
		{"two contexts with one name", kubeconfig.Settings{Paths: []string{one, lost}}, kubeconfig.ErrAmbiguous},
		{"two clusters with one name", kubeconfig.Settings{Paths: []string{one, two}}, kubeconfig.ErrAmbiguous},
		{"two users with one name", kubeconfig.Settings{Paths: []string{one, user}, Context: "other"}, kubeconfig.ErrAmbiguous},
		{"no cluster", kubeconfig.Settings{Paths: []string{lost}}, kubeconfig.ErrNoEntry},
		{"no user", kubeconfig.Settings{Paths: []string{one}, User: "root"}, kubeconfig.ErrNoEntry},
		{"no such cluster", kubeconfig.Settings{Paths: []string{one}, Cluster: "prod"}, kubeconfig.ErrNoEntry},
		{"an auth-provider", kubeconfig.Settings{Paths: []string{gone}}, kubeconfig.ErrInvalid},
		{"an auth-provider of the environment", kubeconfig.Settings{Paths: []string{gone}, Sources: map[string]string{"config_path": "KUBE_CONFIG_PATH"}}, kubeconfig.ErrInvalid},
		{"a token over http", kubeconfig.Settings{Host: "http://one.example.com", Token: secret}, kubeconfig.ErrInvalid},
		{"not a URL", kubeconfig.Settings{Host: "https://[", Token: secret}, kubeconfig.ErrInvalid},
		{"a proxy with a password", kubeconfig.Settings{Host: "https://one.example.com", ProxyURL: "http://user:" + secret + "@%zz"}, kubeconfig.ErrInvalid},
		{"not a boolean", kubeconfig.Settings{Host: "https://one.example.com", Insecure: "yes", Sources: map[string]string{"insecure": "KUBE_INSECURE"}}, kubeconfig.ErrInvalid},
		{"in Base64", kubeconfig.Settings{Host: "https://one.example.com", CA: base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----"))}, kubeconfig.ErrInvalid},
		{"no key", kubeconfig.Settings{Host: "https://one.example.com", ClientCertificate: "-----BEGIN CERTIFICATE-----"}, kubeconfig.ErrInvalid},
		{"no certificate", kubeconfig.Settings{Host: "https://one.example.com", Secret: "-----BEGIN PRIVATE KEY-----" + secret}, kubeconfig.ErrInvalid},
		{"a key that is none", kubeconfig.Settings{Host: "https://one.example.com", ClientCertificate: "-----BEGIN CERTIFICATE-----", Secret: "-----BEGIN PRIVATE KEY-----" + secret}, kubeconfig.ErrInvalid},
		{"token and password", kubeconfig.Settings{Host: "https://one.example.com", Token: secret, Username: "admin", Password: secret}, kubeconfig.ErrInvalid},
	} {
		_, err := c.settings.Load()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		failed, is := errors.AsType[*kubeconfig.Error](err)
		if !is {
			t.Errorf("%s: %v has no cause", c.name, err)
			continue
		}
		text := fmt.Sprintf("%s\n  %s\n  %s\n", c.name, failed.Cause, failed.Action)
		if strings.Contains(text, secret) {
			t.Errorf("%s: the text has a secret", c.name)
		}
		golden.Record(t, text, golden.Replace(folder, "<folder>"))
	}
}

// Two files may have the same entries, as copies of one cluster have.
func TestSettings_Load_sameEntryTwice(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one, two := write(t, filepath.Join(folder, "one"), "shop", "https://one.example.com"), write(t, filepath.Join(folder, "two"), "shop", "https://one.example.com")
	config, err := kubeconfig.Settings{Paths: []string{one, two}, UserAgent: "test"}.Load()
	if err != nil || config.Host != "https://one.example.com" || config.UserAgent != "test" {
		t.Errorf("%v, %v", config, err)
	}
}

// The command reads the files of kubectl.
func TestDefault(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	folder := t.TempDir()
	t.Setenv("HOME", folder)
	t.Setenv("KUBECONFIG", "")
	if _, err := kubeconfig.Default("test"); !errors.Is(err, kubeconfig.ErrNotConfigured) {
		t.Errorf("without a file: %v", err)
	}
	server := cluster(t, localkube.WithTLS())
	t.Setenv("KUBECONFIG", writeText(t, folder, "one", insecure(t, write(t, filepath.Join(folder, "one"), "shop", server.URL()))))
	config, err := kubeconfig.Default("test")
	if err != nil {
		t.Fatal(err)
	}
	if err := works(t, config); err != nil {
		t.Error(err)
	}
	t.Setenv("KUBECONFIG", writeText(t, folder, "old", authProvider(server.URL())))
	if _, err := kubeconfig.Default("test"); !errors.Is(err, kubeconfig.ErrInvalid) || !strings.Contains(err.Error(), "auth-provider") {
		t.Errorf("with an auth-provider: %v", err)
	}
	t.Setenv("KUBECONFIG", writeText(t, folder, "bad", "a: ["))
	if _, err := kubeconfig.Default("test"); !errors.Is(err, kubeconfig.ErrInvalid) {
		t.Errorf("with a bad file: %v", err)
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	encode := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		token string
		want  time.Time
	}{
		"a JSON Web Token":         {"e30." + encode([]byte(fmt.Sprintf(`{"exp":%d}`, at.Unix()))) + ".c2ln", at},
		"one that has no end":      {"e30." + encode([]byte(`{"sub":"x"}`)) + ".c2ln", time.Time{}},
		"of EKS":                   {"k8s-aws-v1." + encode([]byte("https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60")), at.Add(15 * time.Minute)},
		"of EKS, without its date": {"k8s-aws-v1." + encode([]byte("https://sts.eu-central-1.amazonaws.com/")), time.Time{}},
		"something else":           {"abc", time.Time{}},
		"dots":                     {"a.b.c", time.Time{}},
	} {
		got, known := kubeconfig.Expiry(c.token)
		if known != !c.want.IsZero() || known && !got.Equal(c.want) {
			t.Errorf("%s: %v, %v", name, got, known)
		}
	}
}
