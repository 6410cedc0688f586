package localaws_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

func TestFaults_staleReadOfTagsAndWeights(t *testing.T) {
	b := newBench(t)
	l, blue, green := b.twoGroups()
	r := b.rule(l, 1, fixed("200", "x"), path("/x"))
	b.must(b.tagErr(l, pairs("step", "1")))
	b.must(b.tagErr(r, pairs("step", "1")))
	b.must(b.tagErr(l, pairs("step", "2")))
	b.modify(l, forward(share{blue, 40}, share{green, 60}))
	b.must(b.tagErr(r, pairs("step", "2")))
	b.must(b.tagErr(blue, pairs("step", "1")))
	b.srv.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.StaleRead, Times: 2})
	for range 2 {
		if got := b.tags(l, r); got != "step=1; step=1" {
			t.Errorf("a later write of something else hides the stale tags: %s", got)
		}
	}
	if got := b.tags(l, r); got != "step=2; step=2" {
		t.Errorf("got %s", got)
	}
	b.srv.Inject(faults.Fault{Action: "DescribeListeners", Kind: faults.StaleRead, Times: 1})
	if got := b.weights(l)[green]; got != 0 {
		t.Errorf("a later write of tags hides the stale weights: %d", got)
	}
	b.srv.Inject(faults.Fault{Action: "DescribeTags", ARN: r, Kind: faults.StaleRead, Times: 1})
	if got := b.tags(l, r); got != "step=2; step=1" {
		t.Errorf("only the tags of the rule are stale: got %s", got)
	}
}

// testClock is a clock that moves only when a test moves it.
type testClock struct{ passed atomic.Int64 }

func (c *testClock) now() time.Time               { return noon().Add(time.Duration(c.passed.Load())) }
func (c *testClock) advance(passed time.Duration) { c.passed.Add(int64(passed)) }

func TestFaults_lateTagsForADuration(t *testing.T) {
	clock := &testClock{}
	b := newBench(t, localaws.WithNow(clock.now), localaws.WithFault(faults.Fault{Kind: faults.LateTags, Delay: 10 * time.Second}))
	for kind, arn := range b.taggable() {
		want := func(at, tags string) {
			t.Helper()
			if got := b.tags(arn); got != tags {
				t.Errorf("%s, %s: got %q, want %q", kind, at, got, tags)
			}
		}
		b.must(b.tagErr(arn, pairs("step", "1")))
		want("after a write", "")
		clock.advance(4 * time.Second)
		b.must(b.tagErr(arn, pairs("step", "2", "lease", "x")))
		clock.advance(4 * time.Second)
		b.must(b.untagErr(arn, "step"))
		want("8 s after the first write", "")
		clock.advance(2 * time.Second)
		want("10 s after the first write", "step=1")
		clock.advance(4 * time.Second)
		want("10 s after the second", "lease=x step=2")
		clock.advance(4*time.Second - 1)
		want("just before 10 s after the third", "lease=x step=2")
		clock.advance(1)
		want("10 s after the third", "lease=x")
	}
}

func TestFaults_lateTagsForANumberOfCalls(t *testing.T) {
	b := newBench(t)
	out, err := b.api.CreateTargetGroup(b.ctx(), &elb.CreateTargetGroupInput{Name: aws.String("made"), Protocol: "HTTP", Port: aws.Int32(80), VpcId: aws.String("vpc-1"), Tags: pairs("Name", "web")})
	b.must(err)
	made, other := *out.TargetGroups[0].TargetGroupArn, b.group("other")
	for _, arn := range []string{made, other} {
		b.must(b.tagErr(arn, pairs("step", "1")))
		b.must(b.tagErr(arn, pairs("step", "2")))
	}
	b.srv.Inject(faults.Fault{Kind: faults.LateTags, Action: "DescribeTags", ARN: made, Delay: time.Hour, Skip: 1, Times: 2})
	for i, want := range []string{"Name=web step=2; step=2", "Name=web; step=2", "Name=web; step=2", "Name=web step=2; step=2"} {
		if got := b.tags(made, other); got != want {
			t.Errorf("call %d: got %s, want %s", i+1, got, want)
		}
		if got := b.tags(other); got != "step=2" {
			t.Errorf("call %d: the other group is late: %s", i+1, got)
		}
	}
	// The limit of 50 and the keys to remove are those of the tags as they are, not as they are shown.
	b.must(b.tagErr(made, numbered("k", 48)))
	b.srv.Inject(faults.Fault{Kind: faults.LateTags, Delay: time.Hour})
	if err := b.tagErr(made, pairs("more", "x")); code(err) != "TooManyTags" {
		t.Errorf("got %v", err)
	}
	b.must(b.untagErr(made, "step"))
	b.must(b.tagErr(made, pairs("more", "x")))
}

func TestFaults_ofTagCalls(t *testing.T) {
	b := newBench(t)
	for _, arn := range b.taggable() {
		for action, call := range map[string]func() error{
			"AddTags":      func() error { return b.tagErr(arn, pairs("a", "2")) },
			"RemoveTags":   func() error { return b.untagErr(arn, "a") },
			"DescribeTags": func() error { return b.describeTagsErr(arn) },
		} {
			for kind, want := range map[faults.Kind]string{
				faults.Throttle: "ThrottlingException", faults.ServerError: "InternalFailure", faults.AccessDenied: "AccessDenied",
				faults.ExpiredToken: "ExpiredToken", faults.DropConnection: "connection", faults.DropAnswer: "connection", faults.EmptyBody: "",
			} {
				b.faultOfTagCall(arn, faults.Fault{Action: action, Kind: kind, ARN: arn, Times: 1}, call, want)
			}
			if action != "DescribeTags" {
				b.faultOfTagCall(arn, faults.Fault{Action: action, Kind: faults.LostWrite, ARN: arn, Times: 1}, call, "")
			}
		}
	}
}

// A page in place of the answer, and an answer that ends in the middle: the call is executed, and
// no client takes what it reads for an answer with content.
func TestFaults_brokenAnswers(t *testing.T) {
	for _, kind := range []faults.Kind{faults.HTMLBody, faults.CutAnswer} {
		b := newBench(t)
		g := b.group("g")
		b.srv.Inject(faults.Fault{Action: "AddTags", Kind: kind, Times: 1})
		_ = b.tagErr(g, pairs("a", "2")) // the SDK may take half an answer without content for a whole one
		if got := b.tags(g); got != "a=2" {
			t.Errorf("%s: the call was not executed: %q", kind, got)
		}
		b.srv.Inject(faults.Fault{Action: "DescribeTags", Kind: kind, Times: 1})
		if err := b.describeTagsErr(g); err == nil {
			t.Errorf("%s: the answer was read", kind)
		}
	}
}

// faultOfTagCall makes a call under a fault and checks its error and whether it took effect.
func (b *bench) faultOfTagCall(arn string, f faults.Fault, call func() error, want string) {
	b.t.Helper()
	b.must(b.tagErr(arn, pairs("a", "1")))
	b.srv.Inject(f)
	if err := call(); code(err) != want {
		b.t.Errorf("%s %s: got %v, want %q", f.Action, f.Kind, err, want)
	}
	done := map[string]string{"AddTags": "a=2", "RemoveTags": "", "DescribeTags": "a=1"}[f.Action]
	if f.Kind != faults.DropAnswer && f.Kind != faults.EmptyBody {
		done = "a=1"
	}
	if got := b.tags(arn); got != done {
		b.t.Errorf("%s %s: the tags are %q, want %q", f.Action, f.Kind, got, done)
	}
}

func TestFaults_hangingTagCalls(t *testing.T) {
	b := newBench(t)
	g := b.group("g")
	for action, call := range map[string]func(context.Context) error{
		"AddTags": func(ctx context.Context) error {
			_, err := b.api.AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{g}, Tags: pairs("a", "1")})
			return err
		},
		"RemoveTags": func(ctx context.Context) error {
			_, err := b.api.RemoveTags(ctx, &elb.RemoveTagsInput{ResourceArns: []string{g}, TagKeys: []string{"a"}})
			return err
		},
		"DescribeTags": func(ctx context.Context) error {
			_, err := b.api.DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: []string{g}})
			return err
		},
	} {
		remove := b.srv.Inject(faults.Fault{Kind: faults.Slow, Action: action, Delay: time.Hour})
		ctx, cancel := context.WithCancel(b.ctx())
		failed := make(chan error, 1)
		before := len(b.srv.Calls())
		go func() { failed <- call(ctx) }()
		b.until(action+" to arrive", func() bool { return len(b.srv.Calls()) > before })
		select {
		case err := <-failed:
			t.Errorf("%s returned: %v", action, err)
		default:
		}
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", action, err)
		}
		remove()
	}
	if got := b.tags(g); got != "" {
		t.Errorf("a call that hung took effect: %s", got)
	}
}

// described is what a Describe call returned, without its metadata.
type described struct {
	items int
	next  *string
}

// describes returns every Describe call of which each normally returns something.
func (b *bench) describes() map[string]func() (described, error) {
	all := b.taggable()
	secure := b.secure(all["balancer"], fixed("200", "x"))
	lb, g, l := []string{all["balancer"]}, []string{all["group"]}, []string{all["listener"]}
	b.register(g[0], "127.0.0.1:1")
	b.must(b.tagErr(l[0], pairs("a", "1")))
	return map[string]func() (described, error){
		"DescribeLoadBalancers": func() (described, error) {
			out, err := b.api.DescribeLoadBalancers(b.ctx(), &elb.DescribeLoadBalancersInput{LoadBalancerArns: lb})
			return described{len(out.LoadBalancers), out.NextMarker}, err
		},
		"DescribeLoadBalancerAttributes": func() (described, error) {
			out, err := b.api.DescribeLoadBalancerAttributes(b.ctx(), &elb.DescribeLoadBalancerAttributesInput{LoadBalancerArn: &lb[0]})
			return described{len(out.Attributes), nil}, err
		},
		"DescribeTargetGroups": func() (described, error) {
			out, err := b.api.DescribeTargetGroups(b.ctx(), &elb.DescribeTargetGroupsInput{TargetGroupArns: g})
			return described{len(out.TargetGroups), out.NextMarker}, err
		},
		"DescribeTargetGroupAttributes": func() (described, error) {
			out, err := b.api.DescribeTargetGroupAttributes(b.ctx(), &elb.DescribeTargetGroupAttributesInput{TargetGroupArn: &g[0]})
			return described{len(out.Attributes), nil}, err
		},
		"DescribeTargetHealth": func() (described, error) {
			out, err := b.api.DescribeTargetHealth(b.ctx(), &elb.DescribeTargetHealthInput{TargetGroupArn: &g[0]})
			return described{len(out.TargetHealthDescriptions), nil}, err
		},
		"DescribeListeners": func() (described, error) {
			out, err := b.api.DescribeListeners(b.ctx(), &elb.DescribeListenersInput{ListenerArns: l})
			return described{len(out.Listeners), out.NextMarker}, err
		},
		"DescribeListenerAttributes": func() (described, error) {
			out, err := b.api.DescribeListenerAttributes(b.ctx(), &elb.DescribeListenerAttributesInput{ListenerArn: &l[0]})
			return described{len(out.Attributes), nil}, err
		},
		"DescribeListenerCertificates": func() (described, error) {
			out, err := b.api.DescribeListenerCertificates(b.ctx(), &elb.DescribeListenerCertificatesInput{ListenerArn: &secure})
			return described{len(out.Certificates), out.NextMarker}, err
		},
		"DescribeRules": func() (described, error) {
			out, err := b.api.DescribeRules(b.ctx(), &elb.DescribeRulesInput{ListenerArn: &l[0], PageSize: aws.Int32(1)})
			return described{len(out.Rules), out.NextMarker}, err
		},
		"DescribeTags": func() (described, error) {
			out, err := b.api.DescribeTags(b.ctx(), &elb.DescribeTagsInput{ResourceArns: l})
			return described{len(out.TagDescriptions), nil}, err
		},
	}
}

func TestFaults_emptyAnswers(t *testing.T) {
	b := newBench(t)
	calls := b.describes()
	for _, action := range elbv2.Actions() {
		// A balancer without a reservation has nothing in its lists anyway.
		if strings.HasPrefix(action, "Describe") && calls[action] == nil && action != "DescribeCapacityReservation" {
			t.Errorf("%s is not tested", action)
		}
	}
	for action, call := range calls {
		for _, kind := range []faults.Kind{faults.EmptyBody, faults.EmptyList} {
			remove := b.srv.Inject(faults.Fault{Action: action, Kind: kind, Skip: 1, Times: 2})
			for i, want := range []bool{true, false, false, true} {
				got, err := call()
				b.must(err)
				if (got.items > 0) != want || !want && got.next != nil {
					t.Errorf("%s %s, call %d: got %+v, want content %v", action, kind, i+1, got, want)
				}
			}
			remove()
		}
	}
	gone := b.srv.Inject(faults.Fault{Kind: faults.EmptyList})
	if err := b.describeTagsErr("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/gone/0"); code(err) != "TargetGroupNotFound" {
		t.Errorf("an error stays an error: got %v", err)
	}
	gone()
}

func TestFaults_emptyAnswersOnTheWire(t *testing.T) {
	b := newBench(t)
	g := b.group("g")
	b.must(b.tagErr(g, pairs("a", "1")))
	for kind, want := range map[faults.Kind]string{
		faults.EmptyBody: "",
		faults.EmptyList: `<DescribeTagsResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><DescribeTagsResult><TagDescriptions></TagDescriptions></DescribeTagsResult><ResponseMetadata>`,
	} {
		b.srv.Inject(faults.Fault{Action: "DescribeTags", Kind: kind, Times: 1})
		body := url.Values{"Action": {"DescribeTags"}, "Version": {"2015-12-01"}, "ResourceArns.member.1": {g}}.Encode()
		r := httptest.NewRequestWithContext(b.ctx(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x")
		w := httptest.NewRecorder()
		b.srv.ServeHTTP(w, r)
		got, _, _ := strings.Cut(w.Body.String(), "<RequestId>")
		if w.Code != http.StatusOK || got != want {
			t.Errorf("%s: got %d %q, want %q", kind, w.Code, got, want)
		}
	}
	if calls := b.srv.Calls(); calls[len(calls)-1].Status != http.StatusOK {
		t.Errorf("the journal shows %d", calls[len(calls)-1].Status)
	}
}

func TestFaults_emptyAnswersOfCloudWatch(t *testing.T) {
	b := newWatchBench(t)
	b.logAlarm("logs")
	b.put("Errors", 0, 1)
	for _, kind := range []faults.Kind{faults.EmptyBody, faults.EmptyList} {
		b.srv.Inject(faults.Fault{Action: "DescribeAlarms", Kind: kind, Times: 1})
		out, err := b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{})
		b.must(err)
		if len(out.MetricAlarms)+len(out.CompositeAlarms)+len(out.LogAlarms) > 0 {
			t.Errorf("%s: got %s", kind, pretty(out))
		}
		b.srv.Inject(faults.Fault{Action: "GetMetricData", Kind: kind, Times: 1})
		if got := b.data(stat("m", "App:Errors", "Sum")); len(got) > 0 {
			t.Errorf("%s: got %v", kind, got)
		}
	}
}
