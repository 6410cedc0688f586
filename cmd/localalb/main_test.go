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

func TestRun_badArguments(t *testing.T) {
	for name, args := range map[string][]string{
		`unexpected argument "start"`:           {"start"},
		"flag provided but not defined: -port":  {"-port", "1"},
		`"192.0.2.1" is not a loopback address`: {"-address", "127.0.0.1:0", "-management", "192.0.2.1:1"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: got %v, want %s", args, err, name)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "not for production") {
		t.Errorf("got %v\n%s", err, help.String())
	}
}
