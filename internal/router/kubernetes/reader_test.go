package kubernetes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// canned answers gets and lists with objects, without a network, and counts them by path.
type canned struct {
	objects map[string]object // by path
	kinds   map[string]string // by the end of the path of a list

	mu    sync.Mutex
	paths map[string]int
}

// RoundTrip implements http.RoundTripper.
func (a *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paths[r.URL.Path]++
	code, body := http.StatusOK, any(object{"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "details": object{"name": path.Base(r.URL.Path)}})
	if o, has := a.objects[r.URL.Path]; has {
		body = o
	} else if kind, is := a.kinds[path.Base(r.URL.Path)]; is {
		body = object{"apiVersion": "v1", "kind": kind + "List", "metadata": object{}, "items": []any{}}
	} else {
		code = http.StatusNotFound
	}
	data, err := json.Marshal(body)
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(bytes.NewReader(data)), Request: r, ContentLength: -1, ProtoMajor: 1, ProtoMinor: 1}, err
}

// requests returns how many requests were made.
func (a *canned) requests() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, times := range a.paths {
		n += times
	}
	return n
}

// The resources of a run share what they read within two seconds.
func TestReader_sharesRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := route("HTTPRoute", "web", []any{backendRef("web-blue", 1)})
		inner(o, "metadata").(object)["resourceVersion"] = "7" //nolint:forcetypeassert // it is one
		blue := service("web-blue")
		inner(blue, "metadata").(object)["resourceVersion"] = "8" //nolint:forcetypeassert // it is one
		api := &canned{paths: map[string]int{}, objects: map[string]object{
			"/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/web": o, "/api/v1/namespaces/shop/services/web-blue": blue,
		}, kinds: map[string]string{"httproutes": "HTTPRoute", "grpcroutes": "GRPCRoute", "tcproutes": "TCPRoute", "virtualservices": "VirtualService",
			"referencegrants": "ReferenceGrant", "endpointslices": "EndpointSlice"}}
		router, _, err := kubernetes.NewRouters(&rest.Config{Host: "http://127.0.0.1", Transport: api})
		must(t, err)
		reader := kubernetes.NewReader(router)
		groups := []string{group("web-blue")}
		everything := func() {
			var calls sync.WaitGroup
			for range 5 {
				calls.Go(func() {
					_, err := reader.Read(t.Context(), []string{web})
					_, err2 := reader.IdleHealth(t.Context(), groups)
					_, err3 := reader.OtherRoutes(t.Context(), []string{web}, groups)
					if err := errors.Join(err, err2, err3); err != nil {
						t.Error(err)
					}
				})
			}
			calls.Wait()
		}
		everything()
		everything()
		for path, n := range api.paths {
			if n != 1 {
				t.Errorf("%s was requested %d times", path, n)
			}
		}
		if n := api.requests(); n != 9 { // the route, the Service, its endpoints, 4 kinds, VirtualServices of all namespaces, ReferenceGrants
			t.Errorf("%d requests were made: %v", n, api.paths)
		}
		<-time.After(3 * time.Second)
		everything()
		reader.Invalidate()
		everything()
		if n := api.requests(); n != 27 {
			t.Errorf("after two seconds, and after Invalidate, %d requests were made", n)
		}
	})
}

// A route that cannot be read is the problem of those that asked for it.
func TestReader_failsOnlyForItsOwn(t *testing.T) {
	c := shopWith(t)
	reader := kubernetes.NewReader(c.forward)
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := reader.Read(t.Context(), []string{"httproute/shop/absent"}); !errors.Is(err, traffic.ErrNotFound) {
			t.Errorf("a missing route returned %v", err)
		}
	})
	calls.Go(func() {
		states, err := reader.Read(t.Context(), []string{web})
		if err != nil || states[0].Weights[group("web-blue")] != 1 {
			t.Errorf("the route is %v, %v", states, err)
		}
	})
	calls.Wait()
	states, err := reader.Read(t.Context(), []string{web})
	must(t, err)
	clear(states[0].Weights)
	if again, err := reader.Read(t.Context(), []string{web}); err != nil || len(again[0].Weights) != 1 {
		t.Errorf("the cache was changed to %v, %v", again, err)
	}
	if _, err := reader.References(t.Context(), []string{group("absent")}); !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("a missing Service returned %v", err)
	}
}

// The health of idle environments is read for a warning: for a limited number of groups, and also where one fails.
func TestReader_idleHealthIsLimited(t *testing.T) {
	c := newCluster(t)
	var groups []string
	for i := range 101 {
		c.Put(service(fmt.Sprint("web-", i)))
		groups = append(groups, group(fmt.Sprint("web-", i)))
	}
	c.Remove("services", "shop", "web-3")
	reader := kubernetes.NewReader(c.forward)
	found, err := reader.IdleHealth(t.Context(), groups)
	if len(found) != 99 || !errors.Is(err, traffic.ErrNotFound) {
		t.Errorf("got the health of %d groups, %v", len(found), err)
	}
	records, err := reader.Records(t.Context(), []string{"httproute/shop/absent"})
	if err != nil || len(records) != 0 {
		t.Errorf("got %v, %v", records, err)
	}
}
