//go:build linux

package kube

import (
	"context"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mesh is the data plane of a VirtualService in these tests. It is not Istio's: it is a proxy of this package that
// reads the object from the API server, every 20 ms, and distributes requests by the weights of its first rule,
// exactly. So these tests show that the writes are valid for the real definitions of Istio and what they do to
// requests in a proxy that follows them. They do not show how soon Envoy follows.
type mesh struct {
	c         *cluster
	route     object
	namespace string

	mu     sync.Mutex
	lanes  []lane
	broken error
}

// lane is a destination with a weight. Requests go to the one that has waited for the longest, by weight.
type lane struct {
	address string
	weight  int
	credit  int
}

// newMesh starts the proxy for a VirtualService, and returns its URL.
func newMesh(t *testing.T, c *cluster, namespace string, route object) string {
	t.Helper()
	m := &mesh{c: c, route: route, namespace: namespace}
	m.read(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.read(t.Context())
			case <-t.Context().Done(): // before the functions of Cleanup
				return
			}
		}
	}()
	proxy := &httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: m.next()})
	}}
	srv := httptest.NewServer(proxy)
	t.Cleanup(func() {
		<-ended
		srv.Close()
		if m.broken != nil {
			t.Errorf("the proxy of the mesh: %v", m.broken)
		}
	})
	return srv.URL
}

// read reads the destinations. Where it cannot, the proxy keeps what it had, as Envoy does.
func (m *mesh) read(ctx context.Context) {
	lanes, err := m.destinations(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil {
			m.broken = err
		}
		return
	}
	if !sameLanes(m.lanes, lanes) {
		m.lanes = lanes
	}
}

func sameLanes(a, b []lane) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].address != b[i].address || a[i].weight != b[i].weight {
			return false
		}
	}
	return true
}

func (m *mesh) destinations(ctx context.Context) (lanes []lane, err error) {
	o, err := m.c.at(m.route).Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	refs := elements(elements(part(o.Object, "spec"), "http")[0], "route")
	for _, ref := range refs {
		weight, _ := ref["weight"].(int64)
		if len(refs) == 1 {
			weight = 1 // the only destination gets everything
		}
		host, _ := part(ref, "destination")["host"].(string)
		port, _ := part(part(ref, "destination"), "port")["number"].(int64)
		of, err := m.c.at(service(m.namespace, host)).Get(ctx, host, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		ip, _ := part(of.Object, "spec")["clusterIP"].(string)
		lanes = append(lanes, lane{address: net.JoinHostPort(ip, strconv.FormatInt(port, 10)), weight: int(weight)})
	}
	return lanes, nil
}

// next returns the address for a request: smooth weighted round robin.
func (m *mesh) next() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	best, sum := -1, 0
	for i := range m.lanes {
		m.lanes[i].credit += m.lanes[i].weight
		sum += m.lanes[i].weight
		if m.lanes[i].weight > 0 && (best < 0 || m.lanes[i].credit > m.lanes[best].credit) {
			best = i
		}
	}
	if best < 0 {
		return "127.0.0.1:1" // nothing listens there: the request fails
	}
	m.lanes[best].credit -= sum
	return m.lanes[best].address
}

// newMeshWorld is newWorld with a VirtualService.
func newMeshWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldOf(t, "VirtualService")
	w.route = target{"VirtualService", w.namespace, "web"}.virtualService([]any{w.ref("blue", 100), w.ref("green", 0)})
	w.c.create(t, w.route)
	w.url = newMesh(t, w.c, w.namespace, w.route)
	w.blueResponds()
	w.adopt()
	return w
}
