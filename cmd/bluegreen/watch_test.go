package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// shiftTo gives an environment all traffic.
func shiftTo(t *testing.T, stack *rehearsal.Stack, environment string) {
	t.Helper()
	var groups []types.TargetGroupTuple
	for name, arn := range stack.Groups {
		weight := int32(0)
		if name == environment {
			weight = 100
		}
		groups = append(groups, types.TargetGroupTuple{TargetGroupArn: &arn, Weight: &weight})
	}
	_, err := stack.Client().ModifyListener(t.Context(), &elbv2.ModifyListenerInput{ListenerArn: &stack.Listener,
		DefaultActions: []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: groups}}}})
	if err != nil {
		t.Fatal(err)
	}
}

const recordedShift = "20260102T120000Z-00aa"

// putRecord writes the record of a shift from blue to green that runs elsewhere.
func putRecord(t *testing.T, stack *rehearsal.Stack, phase traffic.Phase) {
	t.Helper()
	keyed := func(name string) map[string]shift.Share {
		return map[string]shift.Share{traffic.GroupKey(stack.Groups[name]): 1000}
	}
	r := traffic.Record{Shift: recordedShift, Switch: "s", Routes: 1, Owner: traffic.Owner{User: "ann", Host: "ci-7", Boot: "elsewhere", PID: 1}, Phase: phase, Renewal: 1,
		Expires: time.Now().Add(2 * time.Minute), Reached: 50, Environment: "green", Version: "1.5.0", From: keyed("blue"), To: keyed("green")}
	router := elb.New(elb.Config{Client: func(string) elb.Client { return stack.Client() }})
	if err := elb.NewRecorder(router).Put(t.Context(), []string{stack.Listener}, r, true); err != nil {
		t.Fatal(err)
	}
}

// removeRecord removes all tags.
func removeRecord(t *testing.T, stack *rehearsal.Stack, tags map[string]string) {
	t.Helper()
	var keys []string
	for key := range tags {
		keys = append(keys, key)
	}
	if _, err := stack.Client().RemoveTags(t.Context(), &elbv2.RemoveTagsInput{ResourceArns: []string{stack.Listener}, TagKeys: keys}); err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is written by the command while the test reads it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// shows waits for a text.
func (b *lockedBuffer) shows(t *testing.T, text string) {
	t.Helper()
	limit := time.After(slow.Deadline(30 * time.Second))
	for !strings.Contains(b.String(), text) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-limit:
			t.Fatalf("%q was not printed:\n%s", text, b.String())
		}
	}
}

// following is a watch that runs beside the test.
func following(t *testing.T, args ...string) (out *lockedBuffer, ended <-chan int) {
	t.Helper()
	out = &lockedBuffer{}
	done := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		done <- run(ctx, append([]string{"watch", "--interval", "20ms"}, args...), streams{in: strings.NewReader(""), out: out, err: io.Discard, getenv: os.LookupEnv})
	}()
	return out, done
}

// A shift is followed by its record; its end is the exit code.
func TestWatch_record(t *testing.T) {
	server, stack := newStack(t)
	for name, c := range map[string]struct {
		end  func()
		code int
	}{
		"completed": {func() { shiftTo(t, stack, "green"); putRecord(t, stack, traffic.PhaseCompleted) }, 0},
		"rejected":  {func() { putRecord(t, stack, traffic.PhaseRejected) }, 1},
		"gone":      {func() { shiftTo(t, stack, "green"); removeRecord(t, stack, server.Tags(stack.Listener)) }, 0},
	} {
		shiftTo(t, stack, "blue")
		putRecord(t, stack, traffic.PhaseOpen)
		out, ended := following(t, "--route", stack.Listener)
		out.shows(t, "record read: open")
		c.end()
		if code := <-ended; code != c.code {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		golden.CheckPart(t, name, lines[len(lines)-1]+"\n")
	}
}

// The JSON of a watch is a journal.
func TestWatch_recordAsJSON(t *testing.T) {
	_, stack := newStack(t)
	putRecord(t, stack, traffic.PhaseOpen)
	out, ended := following(t, "--route", stack.Listener, "--json")
	out.shows(t, "record_read")
	putRecord(t, stack, traffic.PhaseRolledBack)
	if code := <-ended; code != 1 {
		t.Errorf("exit code %d\n%s", code, out)
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var e report.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.N != i {
			t.Errorf("line %d: %v: %s", i, err, line)
		}
	}
}

// What cannot be followed, and a shift that goes on.
func TestWatch_recordRefused(t *testing.T) {
	server, stack := newStack(t)
	route := func(args ...string) []string { return append([]string{"watch", "--route", stack.Listener}, args...) }
	for name, c := range map[string]struct {
		args   []string
		code   int
		record bool
	}{
		"no record":      {args: route(), code: 2},
		"no such route":  {args: []string{"watch", "--route", listener}, code: 2},
		"with an ID":     {args: route(recordedShift), code: 2},
		"two sources":    {args: route("--report-dir", t.TempDir()), code: 2},
		"it goes on":     {args: route("--timeout", "1s"), code: 3, record: true},
		"goes on, JSON":  {args: route("--timeout", "1s", "--json"), code: 3, record: true},
		"not positive":   {args: route("--interval", "-1s"), code: 2},
		"an empty state": {args: []string{"watch", "-f", os.DevNull}, code: 2},
	} {
		if c.record {
			putRecord(t, stack, traffic.PhaseOpen)
		}
		t.Setenv("BLUEGREEN_REPORT_DIR", "/no/such/folder") // the routes come first
		if r := runWith(t.Context(), "", false, c.args...); r.code != c.code {
			t.Errorf("%s: exit code %d\n%s%s", name, r.code, r.out, r.err)
		} else if lines := strings.Split(strings.TrimSpace(r.out), "\n"); name == "goes on, JSON" {
			var last struct{ Error map[string]any }
			if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Error["exit_code"] != 3.0 {
				t.Errorf("%s: the last line is no JSON: %v\n%s", name, err, r.out)
			}
		} else {
			golden.CheckPart(t, name, r.err, golden.Replace(stack.Listener, "<listener>"), golden.ReplacePattern(`on \S+ \(pid[^)]*\)`, "on <host>"))
		}
		if c.record {
			removeRecord(t, stack, server.Tags(stack.Listener))
		}
	}
}
