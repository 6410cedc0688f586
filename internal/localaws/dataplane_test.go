package localaws_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// load sends requests from concurrent keep-alive clients and counts responses by "status body".
func (b *bench) load(listener string, workers, each int) map[string]int {
	b.t.Helper()
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				key := b.try(listener)
				mu.Lock()
				seen[key]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return seen
}

// try sends one request and returns the result, without failing the test.
func (b *bench) try(listener string) string {
	req, err := http.NewRequestWithContext(b.ctx(), http.MethodGet, "http://"+b.srv.ListenerAddr(listener)+"/", nil)
	if err != nil {
		return err.Error()
	}
	resp, err := b.web.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

func TestDataPlane_sharesTenThousandRequestsExactlyWithATargetDown(t *testing.T) {
	b := newBench(t)
	down := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "down")
	}))
	blue, green := b.group("blue", web(t, "blue"), web(t, "blue")), b.group("green", web(t, "green"), down)
	l := b.listener(b.balancer("app"), 80, forward(share{blue, 95}, share{green, 5}))
	b.healthy(blue)
	b.until("one healthy and one unhealthy target in green", func() bool {
		return fmt.Sprint(b.states(green)) == "[healthy   unhealthy Target.ResponseCodeMismatch Health checks failed with these codes: [500]]"
	})
	got := b.load(l, 8, 1250)
	if want := map[string]int{"200 blue": 9500, "200 green": 500}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	counts := b.srv.Counts(blue)
	if counts.Requests != 9500 || counts.Target2xx != 9500 || counts.Errors() != 0 {
		t.Errorf("counts of blue: %+v", counts)
	}
	for name, c := range counts.Targets {
		if c.Requests != 4750 {
			t.Errorf("target %s got %d of 9500", name, c.Requests)
		}
	}
}

func TestDataPlane_modifyListenerUnderLoadLosesNothing(t *testing.T) {
	b := newBench(t)
	blue, green := b.group("blue", web(t, "blue")), b.group("green", web(t, "green"))
	l := b.listener(b.balancer("app"), 80, forward(share{blue, 100}, share{green, 0}))
	b.healthy(blue, green)
	done := make(chan map[string]int)
	go func() { done <- b.load(l, 6, 400) }()
	for step := range int32(50) {
		b.modify(l, forward(share{blue, 100 - 2*step}, share{green, 2 * step}))
	}
	seen := <-done
	if n := seen["200 blue"] + seen["200 green"]; n != 2400 {
		t.Errorf("of 2400 requests %d were answered by a target: %v", n, seen)
	}
}

func TestDataPlane_changeOfWeightsStartsANewCycle(t *testing.T) {
	b := newBench(t)
	blue, green := b.group("blue", web(t, "b")), b.group("green", web(t, "g"))
	l := b.listener(b.balancer("app"), 80, forward(share{blue, 3}, share{green, 1}))
	b.healthy(blue, green)
	first := b.sequence(l, 5)
	b.modify(l, forward(share{blue, 3}, share{green, 1}))
	if again := b.sequence(l, 5); again != first {
		t.Errorf("got %s, then %s", first, again)
	}
}

func (b *bench) sequence(listener string, n int) string {
	out := ""
	for range n {
		_, body := b.get(listener, "/")
		out += body
	}
	return out
}

func TestDataPlane_ownResponses(t *testing.T) {
	b := newBench(t)
	refused := refusing(t)
	broken := target(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	slow := target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/health" {
			<-r.Context().Done()
		}
	}))
	lb, impatient := b.balancer("app"), b.balancer("impatient")
	_, err := b.api.ModifyLoadBalancerAttributes(b.ctx(), &elb.ModifyLoadBalancerAttributesInput{
		LoadBalancerArn: &impatient, Attributes: []types.LoadBalancerAttribute{{Key: aws.String("idle_timeout.timeout_seconds"), Value: aws.String("1")}},
	})
	b.must(err)
	none, other := b.group("none"), b.group("other")
	for i, tc := range []struct {
		name   string
		action []types.Action
		want   int
		counts dataplane.Counts
		group  string
	}{
		{name: "no registered targets", group: none, action: forward(share{none, 1}), want: 503, counts: dataplane.Counts{Requests: 1, ELB503: 1}},
		{name: "no weights", group: other, action: forward(share{none, 0}, share{other, 0}), want: 503},
		{name: "connection refused", group: b.group("refused", refused), want: 502, counts: dataplane.Counts{Requests: 1, ELB502: 1, ConnectionErrors: 1}},
		{name: "connection reset", group: b.group("broken", broken), want: 502, counts: dataplane.Counts{Requests: 1, ELB502: 1}},
		{name: "silent target", group: b.group("slow", slow), want: 504, counts: dataplane.Counts{Requests: 1, ELB504: 1}},
	} {
		if tc.action == nil {
			tc.action = forward(share{tc.group, 1})
		}
		on := lb
		if tc.want == http.StatusGatewayTimeout {
			on = impatient
		}
		l := b.listener(on, int32(8000+i), tc.action)
		status, body := b.get(l, "/")
		if status != tc.want || !strings.Contains(body, fmt.Sprintf("<h1>%d ", tc.want)) {
			t.Errorf("%s: got %d %q, want %d", tc.name, status, body, tc.want)
		}
		got := b.srv.Counts(tc.group)
		got.Targets = nil
		if fmt.Sprint(got) != fmt.Sprint(tc.counts) {
			t.Errorf("%s: counts %+v, want %+v", tc.name, got, tc.counts)
		}
	}
}

// refusing returns an address that refuses connections.
func refusing(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

func TestDataPlane_noFailoverBetweenGroups(t *testing.T) {
	b := newBench(t)
	blue, green := b.group("blue", web(t, "blue")), b.group("green")
	l := b.listener(b.balancer("app"), 80, forward(share{blue, 1}, share{green, 1}))
	b.healthy(blue)
	got := b.load(l, 1, 10)
	if got["200 blue"] != 5 || len(got) != 2 {
		t.Errorf("half of the requests should be answered 503, got %v", got)
	}
}

func TestDataPlane_neverRepeatsAPost(t *testing.T) {
	var calls atomic.Int32
	b := newBench(t)
	broken := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		if calls.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
	}))
	g := b.group("g", broken)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	post := func() int {
		resp := b.send(l, http.MethodPost, "/", func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("order 1")), 7
		})
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if first, second := post(), post(); first != 200 || second != 502 {
		t.Errorf("got %d, %d", first, second)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("the target saw %d requests, want 2", n)
	}
}

func TestDataPlane_requestHeaders(t *testing.T) {
	b := newBench(t)
	echo := target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s|%s|%s|%s|%s", r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Port"), r.URL.RequestURI())
	}))
	g := b.group("g", echo)
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	_, got := b.get(l, "/a%2Fb?x=1;y", func(r *http.Request) {
		r.Host = "shop.example.com"
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
	})
	if want := "shop.example.com|192.0.2.1, 127.0.0.1|http|80|/a%2Fb?x=1;y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDataPlane_groupStickiness(t *testing.T) {
	b := newBench(t)
	blue, green := b.group("blue", web(t, "blue")), b.group("green", web(t, "green"))
	l := b.listener(b.balancer("app"), 80, stickyForward(600, share{blue, 1}, share{green, 1}))
	b.healthy(blue, green)
	resp := b.send(l, http.MethodGet, "/")
	_ = resp.Body.Close()
	names := []string{}
	for _, c := range resp.Cookies() {
		names = append(names, c.Name)
	}
	if fmt.Sprint(names) != "[AWSALBTG AWSALBTGCORS]" {
		t.Fatalf("cookies %v", names)
	}
	with := func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }
	_, first := b.get(l, "/", with)
	for range 4 {
		if _, body := b.get(l, "/", with); body != first {
			t.Fatalf("sticky to %s, got %s", first, body)
		}
	}
	stay, leave := blue, green
	if first == "green" {
		stay, leave = green, blue
	}
	b.modify(l, stickyForward(600, share{stay, 0}, share{leave, 1}))
	if _, body := b.get(l, "/", with); body != first {
		t.Errorf("at weight 0 the cookie should still hold, got %s", body)
	}
	if _, body := b.get(l, "/"); body == first {
		t.Errorf("without a cookie weight 0 got a request")
	}
	b.modify(l, stickyForward(600, share{leave, 1}))
	if _, body := b.get(l, "/", with); body == first {
		t.Errorf("the group is gone from the action, got %s", body)
	}
}

func TestDataPlane_stickyToAnEmptyGroupIs503(t *testing.T) {
	b := newBench(t)
	address := web(t, "blue")
	blue, green := b.group("blue", address), b.group("green", web(t, "green"))
	b.attribute(blue, "deregistration_delay.timeout_seconds", "0")
	l := b.listener(b.balancer("app"), 80, stickyForward(600, share{blue, 1}, share{green, 0}))
	b.healthy(blue, green)
	resp := b.send(l, http.MethodGet, "/")
	_ = resp.Body.Close()
	b.modify(l, stickyForward(600, share{blue, 0}, share{green, 1}))
	b.deregister(blue, address)
	with := func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }
	if status, _ := b.get(l, "/", with); status != 503 {
		t.Errorf("got %d", status)
	}
}

func TestDataPlane_targetStickiness(t *testing.T) {
	b := newBench(t)
	g := b.group("g", web(t, "one"), web(t, "two"), web(t, "three"))
	b.attribute(g, "stickiness.enabled", "true")
	l := b.listener(b.balancer("app"), 80, forward(share{g, 1}))
	b.healthy(g)
	resp := b.send(l, http.MethodGet, "/")
	body, err := io.ReadAll(resp.Body)
	b.must(err)
	for range 5 {
		if _, again := b.get(l, "/", func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }); again != string(body) {
			t.Errorf("sticky to %s, got %s", body, again)
		}
	}
}
