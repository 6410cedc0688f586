//go:build linux

package kube

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/kubernetes"
)

// worlds runs a test on each data plane.
func worlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, build := range map[string]func(*testing.T) *world{"HTTPRoute": newWorld, "VirtualService": newMeshWorld} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, build(t))
		})
	}
}

// A release under load loses no request, changes weights only, and leaves no record.
func TestRelease_underLoad(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		before := extraOf(t, w.c.get(t, w.route))
		load := w.load()
		w.more(load, 200)
		w.activate("green")
		w.MustApply()
		w.mustHaveAll("green")
		w.more(load, 200)
		counts := w.lostNothing(load)
		if counts.ByVersion["1"] == 0 || counts.ByVersion["2"] == 0 {
			t.Errorf("both versions should have responded: %v", counts.ByVersion)
		}
		if after := extraOf(t, w.c.get(t, w.route)); after != before {
			t.Errorf("the route became\n%s\nit was\n%s", after, before)
		}
		w.mustBeSettled()
		t.Logf("%d requests: %v; the slowest took %s; %d writes", counts.Requests, counts.ByVersion, counts.Slowest, w.front.mark())
	})
}

// A gate fails after the first bad response: the traffic is rolled back with one write, and the version is rejected.
func TestRelease_rollsBackWhenAGateFails(t *testing.T) {
	worlds(t, func(t *testing.T, w *world) {
		w.deploy("green", rehearsal.AppTerms{Version: "3", BreaksAfter: 5})
		load := w.load()
		gate := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
			if !load.Counts().FirstBad.IsZero() {
				response.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = io.WriteString(response, "ok")
		}))
		t.Cleanup(gate.Close)
		w.config.steps, w.config.gates = `[{ percent = 20, hold = "10h" }]`, answersFor(gate.URL)
		w.activate("green")
		out := w.mustFail()
		golden.Check(t, e2e.ErrorsIn(out), golden.Replace(w.namespace, "<namespace>"), golden.Replace(gate.URL, "<gate>"))
		w.mustHaveAll("blue")
		w.more(load, 200)
		counts := w.lostNothing(load)
		if counts.Bad["3"] == 0 {
			t.Errorf("the version did not fail: %+v", counts)
		}
		if !strings.Contains(w.state(), `"3"`) {
			t.Errorf("the version is not rejected:\n%s", w.state())
		}
	})
}

// Somebody else changes the weights in a long hold: the shift stops within seconds, and leaves them.
func TestRelease_changedInAHold(t *testing.T) {
	w := newWorld(t)
	t.Parallel()
	load := w.load()
	w.config.steps = endless
	w.activate("green")
	apply := w.Start()
	w.inHold(5)
	w.set(map[string]int{"blue": 60, "green": 40})
	out, ok := apply.Wait()
	if ok {
		t.Errorf("the apply succeeded:\n%s", out)
	}
	golden.Check(t, e2e.ErrorsIn(out), golden.Replace(w.namespace, "<namespace>"))
	if got := w.weights(); !maps.Equal(got, map[string]int{"blue": 60, "green": 40}) {
		t.Errorf("the weights became %v", got)
	}
	w.lostNothing(load)
}

// Somebody else writes labels, annotations and the status all the time, with every write of ours in between: the
// release ends well, and nothing that they wrote is lost.
func TestRelease_inAStormOfConflicts(t *testing.T) {
	w := newWorld(t)
	t.Parallel()
	load := w.load()
	storm := w.storm()
	w.activate("green")
	w.MustApply()
	storm()
	w.mustHaveAll("green")
	w.lostNothing(load)
	conflicts := w.front.conflicts()
	t.Logf("%d conflicts in %d writes", conflicts, w.front.mark())
	if conflicts == 0 {
		t.Error("no write was in conflict")
	}
}

// storm changes the object up to a hundred times per second, and its status as often, until the function is called, which checks that nothing was lost.
func (w *world) storm() (stop func()) {
	w.t.Helper()
	last := 0
	pause := time.NewTicker(10 * time.Millisecond)
	w.t.Cleanup(pause.Stop)
	end := somebody(w.t, func(ctx context.Context) error {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		last++
		err := w.c.changeIn(ctx, w.route, func(o object) {
			m := part(o, "metadata")
			if m["labels"] == nil {
				m["labels"] = object{}
			}
			if m["annotations"] == nil {
				m["annotations"] = object{}
			}
			part(m, "labels")["storm"], part(m, "annotations")["example.com/storm"] = fmt.Sprint(last), fmt.Sprint(last)
		})
		if err != nil {
			return err
		}
		return w.observe(ctx, last)
	})
	return func() {
		w.t.Helper()
		times := end()
		m := part(w.c.get(w.t, w.route), "metadata")
		label, annotation := part(m, "labels")["storm"], part(m, "annotations")["example.com/storm"]
		if label != annotation || label != fmt.Sprint(times) && label != fmt.Sprint(times+1) {
			w.t.Errorf("after %d changes the label is %v, the annotation %v", times, label, annotation)
		}
	}
}

// observe writes a status as another controller does.
func (w *world) observe(ctx context.Context, n int) error {
	for {
		found, err := w.c.at(w.route).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		status := part(found.Object, "status")
		if status == nil {
			return nil
		}
		var parents []any
		for _, one := range elements(status, "parents") {
			if one["controllerName"] != "example.com/storm" {
				parents = append(parents, one)
			}
		}
		status["parents"] = jsonOf(object{"parents": append(parents, object{"controllerName": "example.com/storm", "parentRef": object{"name": "storm"}, "conditions": []any{object{
			"type": "Observed", "status": "True", "reason": "Observed", "message": fmt.Sprint(n), "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": part(found.Object, "metadata")["generation"]}}})})["parents"]
		if _, err = w.c.at(w.route).UpdateStatus(ctx, found, metav1.UpdateOptions{FieldManager: "storm"}); !isConflict(err) {
			return err
		}
	}
}

// The answer to each write of a release is lost in turn, while the write is executed: the release ends well.
func TestRelease_lostAnswers(t *testing.T) {
	for n := 1; n <= 3; n++ {
		t.Run(fmt.Sprintf("write %d", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			load := w.load()
			w.front.atWrite(n, func() bool { return true })
			w.activate("green")
			w.MustApply()
			w.mustHaveAll("green")
			w.mustBeSettled()
			w.lostNothing(load)
		})
	}
}

// The Role that the router prints is enough on a real API server for a release and for the plan after it.
func TestRelease_withTheRoleOfTheGuide(t *testing.T) {
	t.Parallel()
	w := newUnmanagedWorld(t)
	var role object
	must(t, yaml.Unmarshal([]byte(kubernetes.Role("release", w.namespace, kubernetes.Permissions(kubernetes.HTTPRoute))), &role))
	w.c.create(t, role)
	w.c.create(t, object{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(w.namespace, "release"),
		"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "release"}, "subjects": []any{object{"kind": "User", "name": releaseUser}}})
	w.as(releaseToken)
	w.adopt()
	load := w.load()
	w.activate("green")
	w.MustApply()
	w.mustHaveAll("green")
	w.mustBeSettled()
	w.lostNothing(load)
}
