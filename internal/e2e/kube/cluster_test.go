//go:build linux

package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// partsVariable is the environment variable of the folder that "make kube" fills.
const partsVariable = "BLUEGREEN_TEST_KUBE"

// The tokens that the API server knows.
const (
	adminToken   = "admin"
	releaseToken = "release" // of a user without any permission but those that a test grants
	releaseUser  = "system:serviceaccount:ci:release"
)

type object = map[string]any

// cluster is a running API server with etcd, and Traefik once a test needs it.
type cluster struct {
	parts   string // the folder of the programs
	dir     string
	url     string
	ca      []byte
	edge    edge
	client  dynamic.Interface
	running []*process
	names   atomic.Int64 // of namespaces so far
	ips     atomic.Int64 // of Services so far
}

var (
	shared     *cluster
	sharedOnce sync.Once
	errShared  error
)

func TestMain(m *testing.M) {
	e2e.Main(m, func() {
		if shared != nil {
			shared.stop()
		}
	})
}

// start returns the cluster of this package, which the first test starts. It skips the test without the parts.
func start(t *testing.T) *cluster {
	t.Helper()
	parts := os.Getenv(partsVariable)
	if parts == "" {
		t.Skipf("SKIPPED: it needs a real kube-apiserver and Traefik; run \"make kube\", which builds them and sets %s", partsVariable)
	}
	sharedOnce.Do(func() { shared, errShared = startCluster(context.WithoutCancel(t.Context()), parts) })
	if errors.Is(errShared, exec.ErrNotFound) {
		t.Skipf("SKIPPED: it needs etcd, which Debian has in its package etcd-server: %v", errShared)
	}
	if errShared != nil {
		t.Fatal(errShared)
	}
	return shared
}

func startCluster(ctx context.Context, parts string) (*cluster, error) {
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bluegreen-kube-")
	if err != nil {
		return nil, err
	}
	c := &cluster{parts: parts, dir: dir}
	if c.ca, err = writeCertificate(dir); err == nil {
		err = c.run(ctx, etcd)
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// stop ends all processes, and removes their files.
func (c *cluster) stop() {
	for _, p := range c.running {
		p.stop()
	}
	_ = os.RemoveAll(c.dir)
}

// run starts etcd and the API server.
func (c *cluster) run(ctx context.Context, etcd string) error {
	free, err := freeAddresses(3)
	if err != nil {
		return err
	}
	client, peer := "http://"+free[0], "http://"+free[1]
	store, err := c.start(etcd, "--data-dir", filepath.Join(c.dir, "etcd"), "--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	if err != nil {
		return err
	}
	if err := store.until("answers", func() bool { return answers(ctx, http.DefaultClient, client+"/health", "") }); err != nil {
		return err
	}
	if err := c.startAPI(ctx, client, free[2]); err != nil {
		return err
	}
	return c.installDefinitions(ctx)
}

func (c *cluster) start(path string, args ...string) (*process, error) {
	p, err := startProcess(c.dir, path, args...)
	if err == nil {
		c.running = append(c.running, p)
	}
	return p, err
}

// startAPI starts the API server. It has no nodes, no controllers, and of the admission plugins not the one that
// needs a controller which makes service accounts.
func (c *cluster) startAPI(ctx context.Context, etcd, address string) error {
	tokens := filepath.Join(c.dir, "tokens.csv")
	lines := adminToken + ",admin,1,system:masters\n" + releaseToken + "," + releaseUser + ",2,\n"
	if err := os.WriteFile(tokens, []byte(lines), 0o600); err != nil {
		return err
	}
	certificate, key := filepath.Join(c.dir, "tls.crt"), filepath.Join(c.dir, "tls.key")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	api, err := c.start(filepath.Join(c.parts, "kube-apiserver"), "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", port,
		"--cert-dir", c.dir, "--tls-cert-file", certificate, "--tls-private-key-file", key, "--token-auth-file", tokens,
		"--authorization-mode", "RBAC", "--service-cluster-ip-range", "127.10.0.0/16", "--endpoint-reconciler-type", "none",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-signing-key-file", key, "--service-account-key-file", certificate,
		"--disable-admission-plugins", "ServiceAccount")
	if err != nil {
		return err
	}
	c.url = "https://" + address
	transport, err := rest.TransportFor(c.config(adminToken))
	if err != nil {
		return err
	}
	if err := api.until("is ready", func() bool { return answers(ctx, &http.Client{Transport: transport}, c.url+"/readyz", "ok") }); err != nil {
		return err
	}
	c.client, err = dynamic.NewForConfig(c.config(adminToken))
	return err
}

// answers reports whether a URL is answered well, with a text if there is one.
func answers(ctx context.Context, client *http.Client, url, text string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	body := make([]byte, len(text))
	_, _ = response.Body.Read(body)
	return response.StatusCode == http.StatusOK && string(body) == text
}

// config is the configuration of a client with a token.
func (c *cluster) config(token string) *rest.Config {
	return &rest.Config{Host: c.url, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: c.ca}, QPS: -1}
}

// routers returns the two routers with a token.
func (c *cluster) routers(t *testing.T, token string) (forward, rollback *kubernetes.Router) {
	t.Helper()
	forward, rollback, err := kubernetes.NewRouters(c.config(token))
	must(t, err)
	return forward, rollback
}

// namespace creates a namespace of its own for a test.
func (c *cluster) namespace(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("shop-%d", c.names.Add(1))
	c.create(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}})
	return name
}

// resourceOf returns the resource of an object.
func resourceOf(o object) schema.GroupVersionResource {
	plural, _ := meta.UnsafeGuessKindToResource(schema.FromAPIVersionAndKind(fmt.Sprint(o["apiVersion"]), fmt.Sprint(o["kind"])))
	if o["kind"] == "Gateway" {
		plural.Resource = "gateways" // the rule of English is another one
	}
	return plural
}

// at returns the objects of the kind and namespace of an object.
func (c *cluster) at(o object) dynamic.ResourceInterface {
	metadata, _ := o["metadata"].(object)
	namespace, _ := metadata["namespace"].(string)
	return c.client.Resource(resourceOf(o)).Namespace(namespace)
}

// create creates an object, with its status if it has one.
func (c *cluster) create(t *testing.T, o object) {
	t.Helper()
	must(t, c.createIn(t.Context(), o))
}

func (c *cluster) createIn(ctx context.Context, o object) error {
	made, err := c.at(o).Create(ctx, &unstructured.Unstructured{Object: jsonOf(o)}, metav1.CreateOptions{FieldManager: "test"})
	if err != nil || o["status"] == nil {
		return err
	}
	made.Object["status"] = jsonOf(o)["status"]
	_, err = c.at(o).UpdateStatus(ctx, made, metav1.UpdateOptions{FieldManager: "test"})
	return err
}

// get reads an object like another one, of which only kind and name matter.
func (c *cluster) get(t *testing.T, o object) object {
	t.Helper()
	metadata, _ := o["metadata"].(object)
	found, err := c.at(o).Get(t.Context(), fmt.Sprint(metadata["name"]), metav1.GetOptions{})
	must(t, err)
	return found.Object
}

// change changes an object as somebody else would, whatever is written meanwhile.
func (c *cluster) change(t *testing.T, o object, change func(object)) {
	t.Helper()
	must(t, c.changeIn(t.Context(), o, change))
}

func (c *cluster) changeIn(ctx context.Context, o object, change func(object)) error {
	metadata, _ := o["metadata"].(object)
	for {
		found, err := c.at(o).Get(ctx, fmt.Sprint(metadata["name"]), metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(found.Object)
		found.Object = jsonOf(found.Object)
		if _, err = c.at(o).Update(ctx, found, metav1.UpdateOptions{FieldManager: "somebody"}); !isConflict(err) {
			return err
		}
	}
}
