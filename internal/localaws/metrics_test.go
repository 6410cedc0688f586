package localaws_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
)

// answers is a target that responds with the status in the path; 0 closes the connection.
func answers(t *testing.T) string {
	t.Helper()
	return target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Path[1:])
		switch {
		case err != nil:
			status = http.StatusOK
		case status == 0:
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	}))
}

// nobody is an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// own returns a query for a load balancer metric, of a target group or of the load balancer.
func own(id, name, statistic string, arns ...string) []string {
	out := []string{id, "AWS/ApplicationELB:" + name, statistic, "LoadBalancer", suffix(arns[0])}
	if len(arns) > 1 {
		out = append(out, "TargetGroup", suffix(arns[1]))
	}
	return out
}

// figures returns sums of load balancer metrics, without those that have no data.
func (b *watchBench) figures(names []string, arns ...string) map[string]float64 {
	b.t.Helper()
	out := map[string]float64{}
	for _, name := range names {
		q := own("m", name, "Sum", arns...)
		if got := b.data(stat(q[0], q[1], q[2], q[3:]...))["m"]; len(got.values) > 0 {
			out[name] = got.values[0]
		}
	}
	return out
}

func allFigures() []string {
	return []string{
		"RequestCount", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count",
		"TargetConnectionErrorCount", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_ELB_502_Count", "HTTPCode_ELB_503_Count", "HTTPCode_ELB_504_Count",
	}
}

func TestMetrics_ofRealTraffic(t *testing.T) {
	b := newWatchBench(t)
	lb := b.balancer("app")
	good, broken, empty := b.group("good", answers(t)), b.group("broken", nobody(t)), b.group("empty")
	l := b.listener(lb, 80, forward(share{good, 1}))
	l2 := b.listener(lb, 81, forward(share{broken, 1}))
	l3 := b.listener(lb, 82, forward(share{empty, 1}))
	l4 := b.listener(lb, 83, fixed("404", "no"))
	b.healthy(good)
	b.until("a target that is not healthy", func() bool { return b.states(broken)[0][:9] == "unhealthy" })
	for path, times := range map[string]int{"/200": 4, "/302": 1, "/404": 2, "/500": 3, "/0": 1} {
		for range times {
			b.get(l, path)
		}
	}
	b.get(l2, "/")
	b.get(l2, "/")
	b.get(l3, "/")
	b.get(l4, "/")
	b.clock.advance(119 * time.Second)
	if got := b.figures(allFigures(), lb); len(got) > 0 {
		t.Errorf("seen too early: %v", got)
	}
	b.clock.advance(time.Second)
	for name, c := range map[string]struct {
		arns []string
		want map[string]float64
	}{
		"good": {[]string{lb, good}, map[string]float64{
			"RequestCount": 11, "HTTPCode_Target_2XX_Count": 4, "HTTPCode_Target_3XX_Count": 1, "HTTPCode_Target_4XX_Count": 2, "HTTPCode_Target_5XX_Count": 3}},
		"broken": {[]string{lb, broken}, map[string]float64{"RequestCount": 2, "TargetConnectionErrorCount": 2}},
		"empty":  {[]string{lb, empty}, map[string]float64{}},
		"balancer": {[]string{lb}, map[string]float64{
			"RequestCount": 13, "HTTPCode_Target_2XX_Count": 4, "HTTPCode_Target_3XX_Count": 1, "HTTPCode_Target_4XX_Count": 2, "HTTPCode_Target_5XX_Count": 3,
			"TargetConnectionErrorCount": 2, "HTTPCode_ELB_5XX_Count": 4, "HTTPCode_ELB_502_Count": 3, "HTTPCode_ELB_503_Count": 1}},
	} {
		if got := b.figures(allFigures(), c.arns...); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	hosts := []string{"HealthyHostCount", "UnHealthyHostCount"}
	if got := b.figures(hosts, lb, empty); len(got) > 0 {
		t.Errorf("a group without targets has %v", got)
	}
	if got := b.figures(hosts, lb, broken); got["HealthyHostCount"] != 0 || got["UnHealthyHostCount"] != 1 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

// An alarm on load balancer metrics fires after the delay of the metrics and its period, as on AWS.
func TestMetrics_alarmOnRealTraffic(t *testing.T) {
	b := newWatchBench(t)
	lb, group := b.balancer("app"), b.group("blue", answers(t))
	l := b.listener(lb, 80, forward(share{group, 1}))
	b.healthy(group)
	in := errorsOver("5xx", 1)
	in.Namespace, in.MetricName, in.Dimensions = aws.String("AWS/ApplicationELB"), aws.String("HTTPCode_Target_5XX_Count"), dims("LoadBalancer", suffix(lb), "TargetGroup", suffix(group))
	in.TreatMissingData = aws.String("notBreaching")
	b.alarm(in)
	b.get(l, "/500")
	b.get(l, "/503")
	b.clock.advance(time.Minute)
	b.wantState("5xx", "OK: Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].")
	b.clock.advance(time.Minute)
	b.wantState("5xx", "ALARM: Threshold Crossed: 1 datapoint [2.0 (04/03/26 12:00:00)] was greater than the threshold (1.0).")
	b.clock.advance(2 * time.Minute)
	b.wantState("5xx", "OK: Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].")
}

func TestMetrics_clientGoneAndSilence(t *testing.T) {
	b := newWatchBench(t)
	lb := b.balancer("app")
	begun, end := make(chan struct{}, 1), make(chan struct{})
	group := b.group("slow", target(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			begun <- struct{}{}
			<-end
		}
	})))
	defer close(end)
	l := b.listener(lb, 80, forward(share{group, 1}))
	b.healthy(group)
	req, err := http.NewRequestWithContext(b.ctx(), http.MethodGet, "http://"+b.srv.ListenerAddr(l)+"/slow", nil)
	b.must(err)
	conn, err := net.Dial("tcp", b.srv.ListenerAddr(l))
	b.must(err)
	b.must(req.Write(conn))
	<-begun
	b.must(conn.Close())
	b.until("the client to be missed", func() bool { return b.srv.Counts(group).ClientDisconnects == 1 })

	_, err = b.api.ModifyLoadBalancerAttributes(b.ctx(), &elb.ModifyLoadBalancerAttributesInput{LoadBalancerArn: &lb, Attributes: []types.LoadBalancerAttribute{
		{Key: aws.String("idle_timeout.timeout_seconds"), Value: aws.String("1")},
	}})
	b.must(err)
	if status, _ := b.get(l, "/slow"); status != http.StatusGatewayTimeout {
		t.Errorf("got %d", status)
	}
	b.clock.advance(2 * time.Minute)
	b.until("the figures", func() bool {
		got := b.figures(allFigures(), lb)
		return reflect.DeepEqual(got, map[string]float64{"RequestCount": 2, "HTTPCode_ELB_4XX_Count": 1, "HTTPCode_ELB_5XX_Count": 1, "HTTPCode_ELB_504_Count": 1})
	})
}

func TestMetrics_outliveTheirGroup(t *testing.T) {
	b := newWatchBench(t)
	lb, group := b.balancer("app"), b.group("blue", web(t, "blue"))
	l := b.listener(lb, 80, forward(share{group, 1}))
	b.healthy(group)
	b.get(l, "/")
	b.clock.advance(90 * time.Second)
	b.modify(l, fixed("200", "bye"))
	_, err := b.api.DeleteTargetGroup(b.ctx(), &elb.DeleteTargetGroupInput{TargetGroupArn: &group})
	b.must(err)
	b.clock.advance(10 * time.Minute)
	req, hosts := own("req", "RequestCount", "Sum", lb, group), own("hosts", "HealthyHostCount", "Maximum", lb, group)
	b.wantData(map[string]result{"req": {[]int{0}, []float64{1}}, "hosts": {[]int{0, 60}, []float64{1, 1}}},
		stat(req[0], req[1], req[2], req[3:]...), stat(hosts[0], hosts[1], hosts[2], hosts[3:]...))
}

func TestMetrics_clock(t *testing.T) {
	b := newWatchBench(t, localaws.WithMetricsClock(5*time.Second, 3*time.Second))
	lb, group := b.balancer("app"), b.group("blue", web(t, "blue"))
	l := b.listener(lb, 80, forward(share{group, 1}))
	b.healthy(group)
	for range 4 { // at 0, 4, 8 and 12 seconds
		b.get(l, "/")
		b.clock.advance(4 * time.Second)
	}
	at := func(period int32) result {
		q := own("m", "RequestCount", "Sum", lb, group)
		return b.data(every(period, stat(q[0], q[1], q[2], q[3:]...)))["m"]
	}
	for _, want := range []struct {
		period int32
		result
	}{{5, result{[]int{0, 5}, []float64{2, 1}}}, {10, result{[]int{0}, []float64{3}}}, {60, result{[]int{0}, []float64{3}}}, {1, result{nil, []float64{}}}} {
		if got := at(want.period); !reflect.DeepEqual(got, want.result) { // at 16 s: the points of 0 and 5 s
			t.Errorf("every %d s: got %v, want %v", want.period, got, want.result)
		}
	}
	b.clock.advance(2 * time.Second)
	if got := at(5); !reflect.DeepEqual(got, result{[]int{0, 5, 10}, []float64{2, 1, 1}}) {
		t.Errorf("got %v", got)
	}
	for _, wrong := range []time.Duration{0, 500 * time.Millisecond, 7 * time.Second, 90 * time.Second} {
		_, err := localaws.Start(localaws.WithMetricsClock(wrong, 0))
		if want := fmt.Sprintf("metrics period %s: it must be whole seconds that divide a minute, or whole minutes", wrong); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestMetrics_responseTime(t *testing.T) {
	b := newWatchBench(t)
	lb := b.balancer("app")
	group := b.group("blue", target(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/upload" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
	})))
	l := b.listener(lb, 80, forward(share{group, 1}))
	b.healthy(group)
	body, write := io.Pipe()
	ended := make(chan time.Time, 1)
	go func() { // the client takes its time, which is not the target's
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 20 {
			<-tick.C
			_, _ = write.Write([]byte("x"))
		}
		ended <- time.Now()
		_ = write.Close()
	}()
	resp, err := b.web.Post("http://"+b.srv.ListenerAddr(l)+"/upload", "text/plain", body)
	b.must(err)
	_ = resp.Body.Close()
	most := time.Since(<-ended).Seconds()
	b.clock.advance(2 * time.Minute)
	took, n := own("took", "TargetResponseTime", "Maximum", lb, group), own("n", "TargetResponseTime", "SampleCount", lb)
	got := b.data(stat(took[0], took[1], took[2], took[3:]...), stat(n[0], n[1], n[2], n[3:]...))
	if v := got["took"].values; len(v) != 1 || v[0] <= 0 || v[0] > most || got["n"].values[0] != 1 {
		t.Errorf("got %v, want at most %v", got, most)
	}
}

func TestMetrics_regionsAreSeparate(t *testing.T) {
	b := newWatchBench(t)
	b.put("Errors", 0, 1)
	b.alarm(errorsOver("errors", 3))
	other := watchClient(b.srv.URL(), func(o *cw.Options) { o.Region = "eu-west-1" })
	here := b.cw
	b.cw = other
	if got := b.describe(); len(got.MetricAlarms) > 0 {
		t.Errorf("got %s", pretty(got))
	}
	if got := b.data(stat("m", "App:Errors", "Sum"))["m"]; len(got.values) > 0 {
		t.Errorf("got %v", got)
	}
	b.alarm(errorsOver("errors", 3))
	if got := *b.describe().MetricAlarms[0].AlarmArn; got != "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors" {
		t.Error(got)
	}
	b.cw = here
	if got := len(b.describe().MetricAlarms); got != 1 {
		t.Errorf("got %d alarms", got)
	}
}
