//go:build linux

package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// controllers plays the controllers of Deployments and EndpointSlices, the nodes and kube-proxy, for the objects that
// Terraform creates in a namespace. It reads them every 20 ms. A Deployment has its Pods ready at once, with the labels
// of its template, and its status says so. A Service has as many ready endpoints as Pods that it selects, and an
// application listens on its ClusterIP, of the version that the Pods have as a label. No image is pulled and no probe
// is executed, so these tests do not show how long a Deployment takes or what happens to one that never is ready.
type controllers struct {
	t         *testing.T
	c         *cluster
	namespace string

	mu     sync.Mutex // of broken; the rest is of one goroutine
	broken error
	apps   map[string]*app   // by Service
	run    map[string]string // the version of each
}

// newControllers starts them. They end with the test.
func newControllers(t *testing.T, c *cluster, namespace string) {
	t.Helper()
	k := &controllers{t: t, c: c, namespace: namespace, apps: map[string]*app{}, run: map[string]string{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := k.reconcile(t.Context()); err != nil && t.Context().Err() == nil && !isConflict(err) {
					k.mu.Lock()
					k.broken = err
					k.mu.Unlock()
				}
			case <-t.Context().Done(): // before the functions of Cleanup
				return
			}
		}
	}()
	t.Cleanup(func() {
		<-ended
		if k.broken != nil {
			t.Errorf("the controllers of this test: %v", k.broken)
		}
	})
}

// list returns the objects of a kind.
func (k *controllers) list(ctx context.Context, version, kind string) ([]object, error) {
	found, err := k.c.at(object{"apiVersion": version, "kind": kind, "metadata": object{"namespace": k.namespace}}).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []object
	for i := range found.Items {
		all = append(all, found.Items[i].Object)
	}
	return all, nil
}

func (k *controllers) reconcile(ctx context.Context) error {
	deployments, err := k.list(ctx, "apps/v1", "Deployment")
	if err != nil {
		return err
	}
	expected := map[string]object{} // Pods
	for _, d := range deployments {
		if err := k.rollOut(ctx, d, expected); err != nil {
			return err
		}
	}
	pods, err := k.scale(ctx, expected)
	if err != nil {
		return err
	}
	services, err := k.list(ctx, "v1", "Service")
	if err != nil {
		return err
	}
	for _, s := range services {
		if err := k.connect(ctx, s, pods); err != nil {
			return err
		}
	}
	return nil
}

// nameOf returns the name of an object.
func nameOf(o object) string { return fmt.Sprint(part(o, "metadata")["name"]) }

// rollOut says that a Deployment has all its Pods, and which they are. It ends the deletion of one.
func (k *controllers) rollOut(ctx context.Context, d object, expected map[string]object) error {
	meta := part(d, "metadata")
	if meta["deletionTimestamp"] != nil {
		return k.endDeletion(ctx, d)
	}
	replicas, _ := part(d, "spec")["replicas"].(int64)
	template := part(part(d, "spec"), "template")
	for i := range replicas {
		pod := metadata(k.namespace, fmt.Sprintf("%s-%v-%d", nameOf(d), meta["generation"], i))
		pod["labels"] = part(template, "metadata")["labels"]
		expected[fmt.Sprint(pod["name"])] = object{"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": template["spec"],
			"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}}}}
	}
	if part(d, "status")["observedGeneration"] == meta["generation"] {
		return nil
	}
	d["status"] = object{"observedGeneration": meta["generation"], "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}
	_, err := k.c.at(d).UpdateStatus(ctx, &unstructured.Unstructured{Object: d}, metav1.UpdateOptions{FieldManager: "controllers"})
	return err
}

// endDeletion ends the deletion of an object, as the garbage collector does.
func (k *controllers) endDeletion(ctx context.Context, o object) error {
	delete(part(o, "metadata"), "finalizers")
	_, err := k.c.at(o).Update(ctx, &unstructured.Unstructured{Object: o}, metav1.UpdateOptions{FieldManager: "controllers"})
	return err
}

// scale creates and deletes Pods, and returns those there are.
func (k *controllers) scale(ctx context.Context, expected map[string]object) ([]object, error) {
	found, err := k.list(ctx, "v1", "Pod")
	if err != nil {
		return nil, err
	}
	for _, pod := range found {
		if expected[nameOf(pod)] == nil {
			if err := k.c.at(pod).Delete(ctx, nameOf(pod), metav1.DeleteOptions{}); err != nil {
				return nil, err
			}
		}
		delete(expected, nameOf(pod))
	}
	for _, pod := range expected {
		if err := k.c.createIn(ctx, pod); err != nil {
			return nil, err
		}
	}
	return k.list(ctx, "v1", "Pod")
}

// connect lets the application behind a Service be of the version of its Pods.
func (k *controllers) connect(ctx context.Context, s object, pods []object) error {
	var conditions []string
	version := ""
	for _, pod := range pods {
		labels := part(part(pod, "metadata"), "labels")
		if selects(part(part(s, "spec"), "selector"), labels) {
			conditions, version = append(conditions, "ready"), fmt.Sprint(labels["version"])
		}
	}
	name := nameOf(s)
	if len(conditions) == 0 || k.run[name] == version {
		return nil
	}
	if a := k.apps[name]; a != nil {
		a.deploy(rehearsal.AppTerms{Version: version})
		k.run[name] = version
		return nil
	}
	a := &app{namespace: k.namespace, service: name, ip: fmt.Sprint(part(s, "spec")["clusterIP"]), port: 8080}
	a.deploy(rehearsal.AppTerms{Version: version})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(a.ip, "8080"))
	if err != nil {
		return err
	}
	srv := &httptest.Server{Listener: listener, Config: &http.Server{Handler: a, ReadHeaderTimeout: time.Minute}}
	srv.Start()
	k.t.Cleanup(srv.Close)
	k.apps[name], k.run[name] = a, version
	return k.c.createIn(ctx, endpoints(k.namespace, name, conditions...))
}

// selects reports whether a selector selects a Pod with labels.
func selects(selector, labels object) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0
}
