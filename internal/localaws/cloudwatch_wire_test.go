package localaws_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cw "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// status returns the HTTP status of an SDK error, or 0.
func status(err error) int {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

func TestCloudWatch_errorsHaveTheirTypes(t *testing.T) {
	b := newWatchBench(t)
	_, err := b.cw.SetAlarmState(b.ctx(), &cw.SetAlarmStateInput{AlarmName: aws.String("nope"), StateValue: cwtypes.StateValueOk, StateReason: aws.String("x")})
	if _, ok := errors.AsType[*cwtypes.ResourceNotFound](err); !ok || failure(t, err) != "ResourceNotFound: The alarm nope does not exist." || status(err) != 404 {
		t.Errorf("got %T %v", err, err)
	}
	b.logAlarm("logs")
	_, err = b.cw.SetAlarmState(b.ctx(), &cw.SetAlarmStateInput{AlarmName: aws.String("logs"), StateValue: cwtypes.StateValueOk, StateReason: aws.String("x"), StateReasonData: aws.String("{")})
	if _, ok := errors.AsType[*cwtypes.InvalidFormatFault](err); !ok || failure(t, err) != "InvalidFormat: StateReasonData is not valid JSON." {
		t.Errorf("got %T %v", err, err)
	}
	_, err = b.cw.PutMetricData(b.ctx(), &cw.PutMetricDataInput{Namespace: aws.String("App")})
	if _, ok := errors.AsType[*cwtypes.MissingRequiredParameterException](err); !ok {
		t.Errorf("got %T %v", err, err)
	}
	_, err = b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{AlarmNames: []string{"a"}, AlarmNamePrefix: aws.String("b")})
	if _, ok := errors.AsType[*cwtypes.InvalidParameterCombinationException](err); !ok {
		t.Errorf("got %T %v", err, err)
	}
	_, err = b.cw.ListDashboards(b.ctx(), &cw.ListDashboardsInput{})
	if got := failure(t, err); got != "UnknownOperationException: localaws does not simulate the operation ListDashboards of CloudWatch" {
		t.Error(got)
	}
}

func TestCloudWatch_alarmMistakes(t *testing.T) {
	b := newWatchBench(t)
	b.composite("c", "TRUE")
	for want, change := range map[string]func(*cw.PutMetricAlarmInput){
		"The period 5 of an alarm must be 10, 20, 30 or a multiple of 60.":                                             func(in *cw.PutMetricAlarmInput) { in.Period = aws.Int32(5) },
		"Metrics cannot be checked across more than 1 days (EvaluationPeriods * Period must be <= 86400).":             func(in *cw.PutMetricAlarmInput) { in.EvaluationPeriods = aws.Int32(1441) },
		"The value 2 for DatapointsToAlarm must be between 1 and EvaluationPeriods, which is 1.":                       func(in *cw.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(2) },
		"Exactly one of Statistic and ExtendedStatistic must be specified.":                                            func(in *cw.PutMetricAlarmInput) { in.ExtendedStatistic = aws.String("p99") },
		"The value tm90 for ExtendedStatistic is not supported: it must be a percentile such as p99.":                  func(in *cw.PutMetricAlarmInput) { in.Statistic, in.ExtendedStatistic = "", aws.String("tm90") },
		"MetricName and Namespace must be specified for an alarm on a metric, or else Metrics.":                        func(in *cw.PutMetricAlarmInput) { in.Namespace = nil },
		"An alarm of another type already has the name c: it is a CompositeAlarm.":                                     func(in *cw.PutMetricAlarmInput) { in.AlarmName = aws.String("c") },
		"localaws does not simulate the parameter ThresholdMetricId.":                                                  func(in *cw.PutMetricAlarmInput) { in.ThresholdMetricId = aws.String("ad1") },
		"1 validation error detected: Value null at 'threshold' failed to satisfy constraint: Member must not be null": func(in *cw.PutMetricAlarmInput) { in.Threshold = nil },
		"1 validation error detected: Value 'nope' at 'treatMissingData' failed to satisfy constraint: Member must satisfy enum value set: [breaching, notBreaching, ignore, missing]": func(in *cw.PutMetricAlarmInput) {
			in.TreatMissingData = aws.String("nope")
		},
		"Exactly one element of the metrics list must return data: 2 do.": func(in *cw.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Statistic, in.Period = nil, nil, "", nil
			in.Metrics = []cwtypes.MetricDataQuery{stat("m", "App:A", "Sum"), expression("e", "m")}
		},
		"Error in expression 'e' [there is no query with the id n]": func(in *cw.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Statistic, in.Period = nil, nil, "", nil
			in.Metrics = []cwtypes.MetricDataQuery{expression("e", "n")}
		},
	} {
		in := errorsOver("a", 1)
		change(in)
		_, err := b.cw.PutMetricAlarm(b.ctx(), in)
		if got := failure(t, err); got != "ValidationError: "+want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for want, rule := range map[string]string{
		"Could not save the composite alarm as alarm x in the alarm rule does not exist.": "ALARM(x)",
		`AlarmRule is not valid: "MAYBE(x)" is not expected.`:                             "MAYBE(x)",
		"AlarmRule is not valid: a closing parenthesis is missing.":                       "(TRUE OR FALSE",
		"AlarmRule is not valid: it ends too early.":                                      "TRUE AND",
		`AlarmRule is not valid: "TRUE" is not expected.`:                                 "FALSE TRUE",
	} {
		_, err := b.cw.PutCompositeAlarm(b.ctx(), &cw.PutCompositeAlarmInput{AlarmName: aws.String("d"), AlarmRule: &rule})
		if got := failure(t, err); got != "ValidationError: "+want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if got := b.describe(); len(got.MetricAlarms) > 0 || len(got.CompositeAlarms) != 1 {
		t.Errorf("a mistake left something behind: %s", pretty(got))
	}
}

func TestCloudWatch_faults(t *testing.T) {
	b := newWatchBench(t)
	b.logAlarm("logs")
	for kind, want := range map[faults.Kind]string{
		faults.Throttle:     "Throttling: Rate exceeded",
		faults.ServerError:  "InternalFailure: The request processing has failed because of an unknown error, exception or failure.",
		faults.AccessDenied: "AccessDenied: User: arn:aws:iam::123456789012:user/local is not authorized to perform: cloudwatch:DescribeAlarms because no identity-based policy allows the cloudwatch:DescribeAlarms action",
		faults.ExpiredToken: "ExpiredToken: The security token included in the request is expired",
	} {
		remove := b.srv.Inject(faults.Fault{Kind: kind, Action: "DescribeAlarms", ARN: "lo", Times: 1})
		_, err := b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{AlarmNames: []string{"logs"}})
		if got := failure(t, err); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		remove()
	}
	for _, kind := range []faults.Kind{faults.DropConnection, faults.DropAnswer} {
		b.srv.Inject(faults.Fault{Kind: kind, Action: "SetAlarmState", Times: 1})
		_, err := b.cw.SetAlarmState(b.ctx(), &cw.SetAlarmStateInput{AlarmName: aws.String("logs"), StateValue: cwtypes.StateValueOk, StateReason: aws.String(string(kind))})
		if err == nil || status(err) != 0 {
			t.Errorf("got %v", err)
		}
	}
	b.wantState("logs", "OK: DropAnswer")
	b.srv.Inject(faults.Fault{Kind: faults.LostWrite, Action: "SetAlarmState", Times: 1})
	b.set("logs", cwtypes.StateValueAlarm)
	b.wantState("logs", "OK: DropAnswer")
	b.srv.Inject(faults.Fault{Kind: faults.LostWrite, Action: "PutMetricData", Times: 1})
	b.put("Errors", 0, 1)
	if got := b.data(stat("m", "App:Errors", "Sum"))["m"]; len(got.values) > 0 {
		t.Errorf("got %v", got)
	}
	b.set("logs", cwtypes.StateValueAlarm)
	b.srv.Inject(faults.Fault{Kind: faults.StaleRead, Times: 1})
	b.wantState("logs", "OK: DropAnswer")
	b.wantState("logs", "ALARM: manual change")
	b.srv.Inject(faults.Fault{Kind: faults.SlowRead, Action: "GetMetricData", Delay: 20 * time.Millisecond, Times: 1})
	begin := time.Now()
	b.data(stat("m", "App:Errors", "Sum"))
	if took := time.Since(begin); took < 20*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestCloudWatch_journal(t *testing.T) {
	b := newWatchBench(t)
	var hooked []string
	defer b.srv.Hook(func(c localaws.Call) { hooked = append(hooked, c.Service+" "+c.Action) })()
	q := stat("m", "App:Errors", "p99", "Service", "shop")
	_, err := b.cw.GetMetricData(b.ctx(), &cw.GetMetricDataInput{StartTime: aws.Time(noon()), EndTime: aws.Time(noon().Add(time.Hour)), MetricDataQueries: []cwtypes.MetricDataQuery{q}})
	b.must(err)
	_, err = b.cw.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{NextToken: aws.String("x")})
	if err == nil {
		t.Error("no error")
	}
	got := b.srv.Calls()
	want := map[string][]string{
		"StartTime": {"2026-03-04T12:00:00Z"}, "EndTime": {"2026-03-04T13:00:00Z"}, "MetricDataQueries.member.1.Id": {"m"},
		"MetricDataQueries.member.1.MetricStat.Metric.Namespace": {"App"}, "MetricDataQueries.member.1.MetricStat.Metric.MetricName": {"Errors"},
		"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name":  {"Service"},
		"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value": {"shop"},
		"MetricDataQueries.member.1.MetricStat.Period":                           {"60"}, "MetricDataQueries.member.1.MetricStat.Stat": {"p99"},
	}
	if c := got[0]; c.Action != "GetMetricData" || c.Service != "cloudwatch" || c.Status != 200 || c.ErrorCode != "" || !reflect.DeepEqual(map[string][]string(c.Params), want) {
		t.Errorf("got %s", pretty(c))
	}
	if c := got[1]; c.Action != "DescribeAlarms" || c.Status != 400 || c.ErrorCode != "InvalidNextToken" {
		t.Errorf("got %s", pretty(c))
	}
	if !reflect.DeepEqual(hooked, []string{"cloudwatch GetMetricData", "cloudwatch DescribeAlarms"}) {
		t.Errorf("got %v", hooked)
	}
}

func TestCloudWatch_refusesCallsWithoutASignature(t *testing.T) {
	b := newWatchBench(t)
	plain := watchClient(b.srv.URL(), func(o *cw.Options) { o.HTTPClient = &http.Client{Transport: unsigned{}} })
	_, err := plain.DescribeAlarms(b.ctx(), &cw.DescribeAlarmsInput{})
	if got := failure(t, err); got != "MissingAuthenticationToken: Missing Authentication Token" || status(err) != http.StatusForbidden {
		t.Errorf("got %s, %d", got, status(err))
	}
}

// packing records whether a request was compressed.
type packing struct{ packed bool }

// RoundTrip sends the request unchanged.
func (p *packing) RoundTrip(r *http.Request) (*http.Response, error) {
	p.packed = r.Header.Get("Content-Encoding") == "gzip"
	return http.DefaultTransport.RoundTrip(r)
}

func TestCloudWatch_packedRequests(t *testing.T) {
	b := newWatchBench(t)
	seen := &packing{}
	client := watchClient(b.srv.URL(), func(o *cw.Options) {
		o.HTTPClient, o.RequestMinCompressSizeBytes = &http.Client{Transport: seen}, 10240
	})
	in := &cw.PutMetricDataInput{Namespace: aws.String("App")}
	for i := range 500 {
		in.MetricData = append(in.MetricData, cwtypes.MetricDatum{MetricName: aws.String(fmt.Sprintf("M%d", i)), Value: aws.Float64(float64(i)), Timestamp: aws.Time(noon())})
	}
	_, err := client.PutMetricData(b.ctx(), in)
	b.must(err)
	if !seen.packed {
		t.Error("the SDK did not pack its request")
	}
	b.wantData(map[string]result{"m": {[]int{0}, []float64{499}}}, stat("m", "App:M499", "Sum"))

	var bomb bytes.Buffer
	pack := gzip.NewWriter(&bomb)
	_, err = pack.Write(make([]byte, 8<<20))
	b.must(errors.Join(err, pack.Close()))
	req, err := http.NewRequestWithContext(b.ctx(), http.MethodPost, b.srv.URL()+"/service/GraniteServiceVersion20100801/operation/PutMetricData", &bomb)
	b.must(err)
	req.Header = http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Encoding": {"gzip"}, "Authorization": {"x"}}
	resp, err := b.web.Do(req)
	b.must(err)
	_ = resp.Body.Close()
	if got := resp.Header.Get("X-Amzn-Query-Error"); resp.StatusCode != http.StatusRequestEntityTooLarge || got != "RequestEntityTooLarge;Sender" {
		t.Errorf("got %s, %s", resp.Status, got)
	}
}

// TestCloudWatch_otherProtocols uses the JSON and Query protocols of AWS CLI versions.
func TestCloudWatch_otherProtocols(t *testing.T) {
	b := newWatchBench(t)
	b.alarm(errorsOver("errors", 3))
	b.put("Errors", 0, 4)
	send := func(body string, header http.Header) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(b.ctx(), http.MethodPost, b.srv.URL()+"/", strings.NewReader(body))
		b.must(err)
		req.Header = header
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260304/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=x")
		resp, err := b.web.Do(req)
		b.must(err)
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		b.must(err)
		return resp.StatusCode, strings.ReplaceAll(string(text), resp.Header.Get("X-Amzn-Requestid"), "ID")
	}
	inJSON := func(action, body string) (int, string) {
		return send(body, http.Header{"X-Amz-Target": {"GraniteServiceVersion20100801." + action}, "Content-Type": {"application/x-amz-json-1.0"}})
	}
	inForm := func(body string) (int, string) {
		return send(body+"&Version=2010-08-01", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	}
	type answer struct {
		status int
		body   string
	}
	got := map[string]answer{}
	note := func(name string) func(int, string) {
		return func(status int, body string) { got[name] = answer{status, body} }
	}
	note("json set")(inJSON("SetAlarmState", `{"AlarmName": "errors", "StateValue": "OK", "StateReason": "manual change"}`))
	note("json data")(inJSON("GetMetricData", `{"StartTime": 1772625600, "EndTime": 1772629200, "MetricDataQueries": [{"Id": "m", "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "Errors"}, "Period": 60, "Stat": "Sum"}}]}`))
	note("json error")(inJSON("SetAlarmState", `{"AlarmName": "nope", "StateValue": "OK", "StateReason": "manual change"}`))
	note("json kind")(inJSON("DescribeAlarms", `{"AlarmNames": "errors"}`))
	note("form set")(inForm("Action=SetAlarmState&AlarmName=errors&StateValue=ALARM&StateReason=manual+change"))
	note("form data")(inForm("Action=GetMetricData&StartTime=2026-03-04T12:00:00Z&EndTime=2026-03-04T13:00:00Z&MetricDataQueries.member.1.Id=m&MetricDataQueries.member.1.MetricStat.Metric.Namespace=App&MetricDataQueries.member.1.MetricStat.Metric.MetricName=Errors&MetricDataQueries.member.1.MetricStat.Period=60&MetricDataQueries.member.1.MetricStat.Stat=Sum"))
	note("form error")(inForm("Action=SetAlarmState&AlarmName=nope&StateValue=OK&StateReason=x"))
	note("form kind")(inForm("Action=DescribeAlarms&AlarmNames=&AlarmNames.member.1=a"))
	want := map[string]answer{
		"json set":   {200, `{}`},
		"json data":  {200, `{"MetricDataResults":[{"Id":"m","Label":"Errors","Timestamps":[1772625600],"Values":[4],"StatusCode":"Complete"}],"Messages":[]}`},
		"json error": {404, `{"__type":"com.amazonaws.cloudwatch#ResourceNotFound","message":"The alarm nope does not exist."}`},
		"json kind":  {400, `{"__type":"com.amazonaws.cloudwatch#SerializationException","message":"The value errors at 'AlarmNames' is not a list"}`},
		"form set":   {200, `<SetAlarmStateResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><SetAlarmStateResult></SetAlarmStateResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></SetAlarmStateResponse>`},
		"form data": {200, `<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult><Messages></Messages><MetricDataResults><member><Id>m</Id><Label>Errors</Label><StatusCode>Complete</StatusCode>` +
			`<Timestamps><member>2026-03-04T12:00:00.000Z</member></Timestamps><Values><member>4</member></Values></member></MetricDataResults></GetMetricDataResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetMetricDataResponse>`},
		"form error": {404, `<ErrorResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><Error><Type>Sender</Type><Code>ResourceNotFound</Code><Message>The alarm nope does not exist.</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		"form kind":  {400, ""},
	}
	for name := range want {
		if name == "form kind" { // which of the two parameters it names is left open
			if got[name].status != 400 || !strings.Contains(got[name].body, "<Code>MalformedQueryString</Code>") {
				t.Errorf("%s: got %v", name, got[name])
			}
			continue
		}
		if got[name] != want[name] {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got[name], want[name])
		}
	}
	b.wantState("errors", "ALARM: manual change")
}

func TestCloudWatch_commandLine(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS command line (aws) is not installed")
	}
	b := newWatchBench(t)
	b.logAlarm("logs")
	cmd := exec.CommandContext(b.ctx(), aws, "cloudwatch", "set-alarm-state", "--alarm-name", "logs", "--state-value", "ALARM", "--state-reason", "manual change")
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL_CLOUDWATCH="+b.srv.URL(), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x", "AWS_DEFAULT_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	b.wantState("logs", "ALARM: manual change")
}
