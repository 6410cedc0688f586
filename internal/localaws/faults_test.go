package localaws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// code returns the code of an API error, "connection" for a call without a response, "" for success.
func code(err error) string {
	if err == nil {
		return ""
	}
	if known, ok := errors.AsType[smithy.APIError](err); ok {
		return known.ErrorCode()
	}
	return "connection"
}

// weights returns the weights of a listener by target group.
func (b *bench) weights(listener string) map[string]int32 {
	b.t.Helper()
	out, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: []string{listener}})
	b.must(err)
	shown := map[string]int32{}
	for _, g := range out.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups {
		shown[*g.TargetGroupArn] = *g.Weight
	}
	return shown
}

// twoGroups is a listener that forwards 100/0.
func (b *bench) twoGroups() (listener, blue, green string) {
	b.t.Helper()
	blue, green = b.group("blue", web(b.t, "blue")), b.group("green", web(b.t, "green"))
	listener = b.listener(b.balancer("app"), 80, forward(share{blue, 100}, share{green, 0}))
	b.healthy(blue, green)
	return listener, blue, green
}

func TestFaults_inPlaceOfAResponse(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	for _, tc := range []struct {
		kind    faults.Kind
		want    string
		carried bool
	}{
		{faults.Throttle, "ThrottlingException", false},
		{faults.ServerError, "InternalFailure", false},
		{faults.AccessDenied, "AccessDenied", false},
		{faults.ExpiredToken, "ExpiredToken", false},
		{faults.DropConnection, "connection", false},
		{faults.DropAnswer, "connection", true},
		{faults.LostWrite, "", false},
	} {
		b.modify(l, forward(share{blue, 100}, share{green, 0}))
		b.srv.Inject(faults.Fault{Action: "ModifyListener", Kind: tc.kind, ARN: l, Times: 1})
		_, err := b.api.ModifyListener(b.ctx(), &elb.ModifyListenerInput{ListenerArn: &l, DefaultActions: forward(share{blue, 0}, share{green, 100})})
		if got := code(err); got != tc.want {
			t.Errorf("%s: got %q (%v), want %q", tc.kind, got, err, tc.want)
		}
		if got := b.weights(l)[green] == 100; got != tc.carried {
			t.Errorf("%s: carried out: %v, want %v", tc.kind, got, tc.carried)
		}
	}
}

func TestFaults_staleRead(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	b.modify(l, forward(share{blue, 40}, share{green, 60}))
	remove := b.srv.Inject(faults.Fault{Action: "DescribeListeners", Kind: faults.StaleRead})
	if got := b.weights(l)[green]; got != 0 {
		t.Errorf("stale read shows %d", got)
	}
	remove()
	if got := b.weights(l)[green]; got != 60 {
		t.Errorf("live read shows %d", got)
	}
}

// Weights shows what is, whatever the API answers.
func TestServer_weights(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	rule := b.rule(l, 1, forward(share{green, 0}), path("/green"))
	b.modify(l, forward(share{blue, 40}, share{green, 60}))
	refused := b.rule(l, 2, fixed("503", "closed"), path("/closed"))
	b.srv.Inject(faults.Fault{Kind: faults.AccessDenied})
	for arn, want := range map[string]map[string]int{l: {blue: 40, green: 60}, rule: {green: 1}, refused: nil, "arn:of:nothing": nil} {
		if got := b.srv.Weights(arn); !maps.Equal(got, want) {
			t.Errorf("%s has %v, want %v", arn, got, want)
		}
	}
}

func TestFaults_lateSync(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	b.srv.Inject(faults.Fault{Kind: faults.LateSync, Times: 1, Delay: time.Hour})
	b.modify(l, forward(share{blue, 0}, share{green, 100}))
	if got := b.weights(l)[green]; got != 100 {
		t.Errorf("Describe shows %d", got)
	}
	if _, body := b.get(l, "/"); body != "blue" {
		t.Errorf("the data plane already applied the change: %s", body)
	}
	b.modify(l, forward(share{blue, 0}, share{green, 99})) // a later write is not held up by an earlier one
	if _, body := b.get(l, "/"); body != "green" {
		t.Errorf("got %s", body)
	}
	b.srv.Inject(faults.Fault{Kind: faults.LateSync, Times: 1, Delay: 30 * time.Millisecond})
	b.modify(l, forward(share{blue, 1}, share{green, 0}))
	b.until("the data plane to apply the change", func() bool { _, body := b.get(l, "/"); return body == "blue" })
}

func TestFaults_delayOnlyMatchingCalls(t *testing.T) {
	b := newBench(t)
	l, _, _ := b.twoGroups()
	b.srv.Inject(faults.Fault{Kind: faults.SlowRead, Delay: 50 * time.Millisecond, Times: 1})
	start := time.Now()
	b.weights(l)
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("took %s", took)
	}
	b.srv.Inject(faults.Fault{Action: "DescribeRules", Kind: faults.Throttle})
	b.srv.Inject(faults.Fault{ARN: "no-such-listener", Kind: faults.Throttle})
	b.srv.Inject(faults.Fault{Action: "DescribeListeners", Skip: 1, Times: 1, Kind: faults.Throttle})
	b.weights(l)
	_, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: []string{l}})
	if code(err) != "ThrottlingException" {
		t.Errorf("the second call got %v", err)
	}
	b.weights(l)
}

func TestFaults_sdkRetriesThrottling(t *testing.T) {
	b := newBench(t, localaws.WithFault(faults.Fault{Kind: faults.Throttle, Times: 2}))
	patient := client(b.srv.URL(), 5)
	if _, err := patient.DescribeLoadBalancers(b.ctx(), &elb.DescribeLoadBalancersInput{}); err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, c := range b.srv.Calls() {
		got = append(got, fmt.Sprint(c.Action, " ", c.Status, " ", c.ErrorCode))
	}
	want := "[DescribeLoadBalancers 400 ThrottlingException DescribeLoadBalancers 400 ThrottlingException DescribeLoadBalancers 200 ]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v", got)
	}
}

func TestHook_runsBeforeTheCall(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	var before int32 = -1
	remove := b.srv.Hook(func(c localaws.Call) {
		if c.Action == "ModifyListener" && c.Params.Get("ListenerArn") == l {
			before = b.weights(l)[green]
		}
	})
	b.modify(l, forward(share{blue, 10}, share{green, 90}))
	if before != 0 {
		t.Errorf("the hook saw weight %d", before)
	}
	remove()
	before = -1
	b.modify(l, forward(share{blue, 100}, share{green, 0}))
	if before != -1 {
		t.Error("a removed hook was called")
	}
}

func TestStart_refusesInvalidOptions(t *testing.T) {
	for name, opt := range map[string]localaws.Option{
		`unknown action "ModifyListner" of a fault: known actions are [AddTags CreateListener`: localaws.WithFault(faults.Fault{Kind: faults.Throttle, Action: "ModifyListner"}),
		`unknown fault kind "Flood"`:          localaws.WithFault(faults.Fault{Kind: "Flood"}),
		`"0.0.0.0" is not a loopback address`: localaws.WithManagement("0.0.0.0:0"),
		"listening for the API":               localaws.WithAddress("256.0.0.1:0"),
	} {
		srv, err := localaws.Start(opt)
		if err == nil {
			_ = srv.Close()
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

func (b *bench) manage(method, path, body string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.ctx(), method, b.srv.ManagementURL()+path, strings.NewReader(body))
	b.must(err)
	resp, err := b.web.Do(req)
	b.must(err)
	defer func() { _ = resp.Body.Close() }()
	out, err := io.ReadAll(resp.Body)
	b.must(err)
	return resp.StatusCode, string(out)
}

func TestManagement(t *testing.T) {
	b := newBench(t, localaws.WithManagement("127.0.0.1:0"))
	l, blue, green := b.twoGroups()
	b.get(l, "/")
	var listeners map[string]struct {
		Address string
		Port    int
		Rules   []struct{ Weights map[string]int }
	}
	_, body := b.manage("GET", "/listeners", "")
	b.must(json.Unmarshal([]byte(body), &listeners))
	if got := listeners[l]; got.Address != b.srv.ListenerAddr(l) || got.Port != 80 || got.Rules[0].Weights[blue] != 100 || got.Rules[0].Weights[green] != 0 {
		t.Errorf("listeners: %s", body)
	}
	var counts map[string]dataplane.Counts
	_, body = b.manage("GET", "/counts", "")
	b.must(json.Unmarshal([]byte(body), &counts))
	if counts[blue].Requests != 1 || counts[green].Requests != 0 {
		t.Errorf("counts: %s", body)
	}
	if status, body := b.manage("POST", "/faults", `{"kind":"Throttle","action":"DescribeTags","delay":"2s","times":2}`); status != 201 || body != "{\n  \"id\": 1\n}\n" {
		t.Errorf("got %d %s", status, body)
	}
	_, err := b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: []string{l}})
	if code(err) != "ThrottlingException" {
		t.Errorf("got %v", err)
	}
	want := "[\n  {\n    \"id\": 1,\n    \"action\": \"DescribeTags\",\n    \"kind\": \"Throttle\",\n    \"times\": 2,\n    \"delay\": \"2s\",\n    \"affected\": 1\n  }\n]\n"
	if _, body := b.manage("GET", "/faults", ""); body != want {
		t.Errorf("faults: %s", body)
	}
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/faults", `{"kind":"Flood"}`, 400},
		{"POST", "/faults", `{"kind":"Throttle","action":"ModifyListner"}`, 400},
		{"POST", "/faults", `{"kind":"Slow","delay":"soon"}`, 400},
		{"DELETE", "/faults/7", "", 404},
		{"DELETE", "/faults/1", "", 204},
		{"DELETE", "/faults", "", 204},
		{"GET", "/healthz", "", 200},
	} {
		if status, _ := b.manage(tc.method, tc.path, tc.body); status != tc.want {
			t.Errorf("%s %s: got %d, want %d", tc.method, tc.path, status, tc.want)
		}
	}
	_, err = b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: []string{aws.ToString(&l)}})
	b.must(err)
}
