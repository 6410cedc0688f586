package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

func TestRun_announcesServesAndStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-address", "127.0.0.1:0", "-management", "127.0.0.1:0", "-fast-health", "50ms", "-ephemeral-ports", "-dns", "127.0.0.1:0", "-dns-exact", "-balancer-addresses"}, in, io.Discard)
		_ = in.CloseWithError(io.EOF)
		done <- err
	}()
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err, <-done)
	}
	text := string(buf[:n])
	golden.Check(t, text, golden.Volatile()...)
	_, rest, _ := strings.Cut(text, "management: ")
	management, _, _ := strings.Cut(rest, " ")
	resp, err := http.Get(management + "/healthz")
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
	if resp, err := http.Get(management + "/healthz"); err == nil {
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
	for _, args := range [][]string{
		{"start"},
		{"-port", "1"},
		{"-address", "127.0.0.1:0", "-management", "192.0.2.1:1"},
		{"-address", "127.0.0.1:0", "-management", "", "-dns", "192.0.2.1:53"},
		{"-address", "127.0.0.1:0", "-metrics-period", "7s"},
		{"-address", "127.0.0.1:0", "-metrics-late", "-1s"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil {
			t.Errorf("%v is taken", args)
		}
		golden.Record(t, fmt.Sprint(err))
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("got %v", err)
	}
	golden.Record(t, help.String())
}
