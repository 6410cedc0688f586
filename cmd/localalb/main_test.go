package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

func TestRun_announcesServesAndStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-address", "127.0.0.1:0", "-management", "127.0.0.1:0", "-fast-health", "50ms", "-ephemeral-ports"}, in, io.Discard)
		_ = in.CloseWithError(io.EOF)
		done <- err
	}()
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err, <-done)
	}
	text := string(buf[:n])
	want := regexp.MustCompile(`^Not for production: a stand-in for Elastic Load Balancing that keeps nothing after exit\.
endpoint:   (http://127\.0\.0\.1:\d+)
management: (http://127\.0\.0\.1:\d+)  \(GET /listeners /counts /faults /healthz, POST and DELETE /faults\)
export AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2=http://127\.0\.0\.1:\d+
export AWS_ENDPOINT_URL_CLOUDWATCH=http://127\.0\.0\.1:\d+
Any credentials will do\. Stop with Ctrl-C\.
$`)
	found := want.FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("got\n%s", text)
	}
	resp, err := http.Get(found[2] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %s", resp.Status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if resp, err := http.Get(found[2] + "/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Error("it still answers")
	}
}

// With a clock of a second an alarm may have a period of 5 s, which AWS refuses; so the flags have arrived.
func TestRun_metricsClock(t *testing.T) {
	for flags, want := range map[string]string{
		"-metrics-period 1s -metrics-late 0s": "",
		"-metrics-period 1m -metrics-late 1m": "The period 5 of an alarm must be 10, 20, 30 or a multiple of 60.",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		out, in := io.Pipe()
		done := make(chan error, 1)
		go func() {
			err := run(ctx, append([]string{"-address", "127.0.0.1:0", "-management", ""}, strings.Fields(flags)...), in, io.Discard)
			_ = in.CloseWithError(io.EOF)
			done <- err
		}()
		buf := make([]byte, 4096)
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err, <-done)
		}
		url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(string(buf[:n]))
		client := cloudwatch.New(cloudwatch.Options{
			Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		})
		_, err = client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
			AlarmName: aws.String("a"), Namespace: aws.String("App"), MetricName: aws.String("Errors"), Statistic: types.StatisticSum, Period: aws.Int32(5),
			EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(1), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		})
		got := ""
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			got = api.ErrorMessage()
		} else if err != nil {
			t.Error(err)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", flags, got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRun_badArguments(t *testing.T) {
	for name, args := range map[string][]string{
		`unexpected argument "start"`:                                                        {"start"},
		"flag provided but not defined: -port":                                               {"-port", "1"},
		`"192.0.2.1" is not a loopback address`:                                              {"-address", "127.0.0.1:0", "-management", "192.0.2.1:1"},
		"metrics period 7s: it must be whole seconds that divide a minute, or whole minutes": {"-address", "127.0.0.1:0", "-metrics-period", "7s"},
		"metrics lateness -1s: it must not be negative":                                      {"-address", "127.0.0.1:0", "-metrics-late", "-1s"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: got %v, want %s", args, err, name)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "not for production") || !strings.Contains(help.String(), "AWS has no clock but 1m: label every figure got with another one so") {
		t.Errorf("got %v\n%s", err, help.String())
	}
}
