package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	// manager is the field manager of every write.
	manager = "bluegreen"
	// attemptTimeout limits an attempt: a write, and the first one of a read. A rollback does not wait for the answer
	// to a write that long.
	attemptTimeout         = 10 * time.Second
	rollbackAttemptTimeout = 5 * time.Second
)

// NewRouters returns two Routers for the same cluster, for Router and RollbackRouter of rollout.Spec, and the
// Recorder of both. They share credentials, connections, and what they know of the weights. Only the second writes an
// object that it cannot read. The API decides how many requests it serves at a time: they wait as long as it asks
// them to.
func NewRouters(config *rest.Config) (forward, rollback *Router, err error) {
	open := func(timeout time.Duration) (dynamic.Interface, error) {
		c := rest.CopyConfig(config)
		c.Timeout = 0                        // it would end all attempts together
		c.QPS = -1                           // no limit of the client's own
		c.WarningHandler = rest.NoWarnings{} // it would write to the terminal of Terraform
		c.Wrap(func(next http.RoundTripper) http.RoundTripper { return attempts{next, timeout, &atomic.Bool{}} })
		return dynamic.NewForConfig(c)
	}
	forwardClient, err := open(attemptTimeout)
	if err != nil {
		return nil, nil, err
	}
	rollbackClient, err := open(rollbackAttemptTimeout)
	if err != nil {
		return nil, nil, err
	}
	records, seen := &recordMemory{}, &sightings{}
	forward = New(Config{Client: forwardClient, records: records, seen: seen})
	return forward, New(Config{Client: rollbackClient, Rollback: true, records: records, seen: seen}), nil
}

// caller makes the requests of a Router. It finds out which version of an API the cluster serves.
type caller struct {
	client   dynamic.Interface
	once     bool        // reads are not repeated
	answered atomic.Bool // the API has answered
	mu       sync.Mutex
	served   map[string]string // version by name of the resource
}

// versions returns the versions to try, first the one that was served before.
func (c *caller) versions(i info) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.served[i.name()]
	if known == "" {
		return i.versions
	}
	others := slices.DeleteFunc(slices.Clone(i.versions), func(v string) bool { return v == known })
	return append([]string{known}, others...)
}

// do makes a request in the first version that the cluster serves. It returns ErrNotInstalled where it serves
// none.
func (c *caller) do(ctx context.Context, i info, request CallError, call func(context.Context, dynamic.NamespaceableResourceInterface) error) error {
	request.Resource = i.name()
	state := &attempt{}
	// What client-go logs, such as that a request waited, would be on the terminal of the command. What matters is in
	// the errors. The logger of the process is not ours to replace while other clients use it.
	ctx = klog.NewContext(context.WithValue(ctx, attemptKey{}, state), logr.Discard())
	for _, version := range c.versions(i) {
		resource := c.client.Resource(schema.GroupVersionResource{Group: i.group, Version: version, Resource: i.plural})
		err := c.try(ctx, request.Verb, state, func() error { return call(ctx, resource) })
		if isUnserved(err) {
			continue
		}
		if err == nil {
			c.mu.Lock()
			c.served[i.name()] = version
			c.mu.Unlock()
		}
		if err != nil && state.throttled.Load() && !apierrors.IsTooManyRequests(err) {
			err = fmt.Errorf("%w: %w", err, traffic.ErrThrottled)
		}
		return callError(ctx, request, err)
	}
	return callError(ctx, request, ErrNotInstalled)
}

// target is an object, and the route or group that it is for.
type target struct{ namespace, name, id string }

// get reads an object.
func (c *caller) get(ctx context.Context, i info, at target) (*unstructured.Unstructured, error) {
	var object *unstructured.Unstructured
	err := c.do(ctx, i, CallError{Verb: "get", Namespace: at.namespace, ID: at.id}, func(ctx context.Context, r dynamic.NamespaceableResourceInterface) (err error) {
		object, err = r.Namespace(at.namespace).Get(ctx, at.name, metav1.GetOptions{})
		if err == nil && (object.GetName() != at.name || object.GetResourceVersion() == "") {
			err = errUnreadable
		}
		return err
	})
	return object, err
}

// list reads the objects of a namespace that have the labels. Empty: of all namespaces, with any labels.
func (c *caller) list(ctx context.Context, i info, namespace, labels string) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	err := c.do(ctx, i, CallError{Verb: "list", Namespace: namespace}, func(ctx context.Context, r dynamic.NamespaceableResourceInterface) error {
		all = nil
		options := metav1.ListOptions{LabelSelector: labels, Limit: 500}
		for {
			page, err := r.Namespace(namespace).List(ctx, options)
			if err != nil {
				return err
			}
			if page.GetKind() != i.kind+"List" {
				return errUnreadable
			}
			all = append(all, page.Items...)
			if options.Continue = page.GetContinue(); options.Continue == "" {
				return nil
			}
		}
	})
	return all, err
}

// update replaces an object that was read.
func (c *caller) update(ctx context.Context, i info, object *unstructured.Unstructured, id string) error {
	return c.do(ctx, i, CallError{Verb: "update", Namespace: object.GetNamespace(), ID: id}, func(ctx context.Context, r dynamic.NamespaceableResourceInterface) error {
		saved, err := r.Namespace(object.GetNamespace()).Update(ctx, object, metav1.UpdateOptions{FieldManager: manager})
		if err == nil && saved.GetName() != object.GetName() {
			err = errUnreadable
		}
		return err
	})
}

// patch changes an object that was not read.
func (c *caller) patch(ctx context.Context, i info, route Route, patch []byte) error {
	return c.do(ctx, i, CallError{Verb: "patch", Namespace: route.Namespace, ID: route.String()}, func(ctx context.Context, r dynamic.NamespaceableResourceInterface) error {
		_, err := r.Namespace(route.Namespace).Patch(ctx, route.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: manager})
		return err
	})
}
