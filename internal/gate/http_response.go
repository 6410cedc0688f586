package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// errIncomplete is the cause if it took too long, or too much, to read a body that decides.
var errIncomplete = errors.New("the response body could not be evaluated")

// response is the part of an HTTP response that is compared.
type response struct {
	status   int
	header   http.Header
	location string
	body     []byte // at most maxBodyBytes
	isCut    bool   // the body is longer
	length   int64  // of the body as the response announced it; -1: not at all
	err      error  // why the body ended early; nil: it did not
}

// measure takes one sample.
func (g *httpGate) measure(ctx context.Context) sample {
	var isSent atomic.Bool
	start := time.Now()
	res, err := g.send(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { isSent.Store(info.Err == nil) },
	}))
	took := time.Since(start)
	var s sample
	if err != nil {
		s = g.noResponse(ctx, err, isSent.Load(), took)
	} else {
		s = g.compare(ctx, res, took)
	}
	s.took = took
	if s.status == rollout.Fail {
		s.body = oneLine(g.mask.hide(string(res.body)))
	}
	return s
}

// send returns an error if there is no response. A body that breaks off is in the response.
func (g *httpGate) send(ctx context.Context) (response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, g.Method, g.URL, bytes.NewReader([]byte(g.Body)))
	if err != nil {
		return response{}, err
	}
	addHeaders(req, g.sent)
	res, err := g.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	r := response{status: res.StatusCode, header: res.Header, length: res.ContentLength}
	if to, err := res.Location(); err == nil {
		r.location = (&url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}).String()
	}
	if g.compareHead(r).status == rollout.Fail { // a fail does not wait for the text that explains it
		defer time.AfterFunc(messageTimeout, cancel).Stop()
	}
	r.body, r.err = io.ReadAll(io.LimitReader(res.Body, maxBodyBytes+1))
	if r.isCut = len(r.body) > maxBodyBytes; r.isCut {
		r.body, r.err = r.body[:maxBodyBytes], nil
	}
	return r, nil
}

func failed(kind, format string, args ...any) sample {
	return sample{status: rollout.Fail, kind: kind, text: fmt.Sprintf(format, args...)}
}

// compare reports the first expectation that a response does not meet: the status and the headers,
// which decide without the body, then that the body is complete, then what it says.
func (g *httpGate) compare(ctx context.Context, r response, took time.Duration) sample {
	s := g.compareHead(r)
	if s.status == rollout.Fail {
		return s
	}
	if r.err != nil {
		return g.noBody(ctx, r, took)
	}
	if !g.body.Match(r.body) {
		what := "the body"
		if r.isCut {
			what = "the first MiB of the body"
		}
		return failed("body", "status %d, but %s does not match /%s/", r.status, what, g.ExpectBody)
	}
	if v := g.compareJSON(r); v.status != rollout.Pass {
		return v
	}
	if g.MaxLatency > 0 && took > g.MaxLatency {
		return failed("latency", "status %d in %s (limit %s)", r.status, roundUp(took), g.MaxLatency)
	}
	return s
}

// compareHead compares the status and the headers; the status comes first.
func (g *httpGate) compareHead(r response) sample {
	if !g.accepts(r.status) {
		if r.location != "" {
			return failed("status", "status %d to %s (redirects are not followed), expected %s", r.status, g.mask.hide(r.location), g.expectedStatuses())
		}
		return failed("status "+strconv.Itoa(r.status), "status %d, expected %s", r.status, g.expectedStatuses())
	}
	for _, name := range slices.Sorted(maps.Keys(g.ExpectHeaders)) {
		want, got := g.ExpectHeaders[name], r.header.Values(name)
		if len(got) == 0 {
			return failed("header "+name, "header %s is missing, expected %q", name, want)
		}
		if !slices.Contains(got, want) {
			return failed("header "+name, "header %s is %q, expected %q", name, g.mask.hide(strings.Join(got, ", ")), want)
		}
	}
	text := fmt.Sprintf("status %d", r.status)
	return sample{status: rollout.Pass, kind: text, text: text}
}

func (g *httpGate) accepts(status int) bool {
	if len(g.ExpectStatus) == 0 {
		return status >= 200 && status <= 299
	}
	return slices.Contains(g.ExpectStatus, status)
}

func (g *httpGate) expectedStatuses() string {
	if len(g.ExpectStatus) == 0 {
		return "200 to 299"
	}
	var codes []string
	for _, code := range g.ExpectStatus {
		codes = append(codes, strconv.Itoa(code))
	}
	return strings.Join(codes, " or ")
}

// noBody returns the sample for a response whose body did not end, or ended too early.
func (g *httpGate) noBody(ctx context.Context, r response, took time.Duration) sample {
	if ctx.Err() == nil {
		return failed("incomplete", "status %d, but the connection broke within the body, after %s: %s", r.status, r.sizeText(), g.mask.hide(r.err.Error()))
	}
	text := fmt.Sprintf("status %d, but the body had not ended after %s", r.status, roundUp(took))
	switch {
	case g.MaxLatency > 0 && took > g.MaxLatency:
		return failed("latency", "%s and %s (limit %s)", text, r.sizeText(), g.MaxLatency)
	case errors.Is(ctx.Err(), context.Canceled):
		text += fmt.Sprintf(" and %s (evaluation canceled)", r.sizeText())
	default:
		text += fmt.Sprintf(" and %s (gate timeout)", r.sizeText())
	}
	return sample{status: rollout.Errored, kind: "timeout", text: text, err: ctx.Err()}
}

// sizeText is how much of the body was read.
func (r response) sizeText() string {
	if r.length > 0 {
		return fmt.Sprintf("%d of %d bytes", len(r.body), r.length)
	}
	return fmt.Sprintf("%d bytes", len(r.body))
}

// noResponse returns the sample for a request without a response.
func (g *httpGate) noResponse(ctx context.Context, err error, isSent bool, took time.Duration) sample {
	// The client's error repeats the URL, which may hold a token.
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
		if isSent && g.MaxLatency > 0 && took > g.MaxLatency {
			return failed("latency", "no response after %s (limit %s)", roundUp(took), g.MaxLatency)
		}
		text := fmt.Sprintf("no response after %s (gate timeout)", roundUp(took))
		if errors.Is(err, context.Canceled) {
			text = fmt.Sprintf("no response after %s (evaluation canceled)", roundUp(took))
		}
		return sample{status: rollout.Errored, kind: "timeout", text: text, err: err}
	}
	reason := g.mask.hide(err.Error())
	if isSent && !isAlert(err) {
		return failed("incomplete", "the connection broke before a response arrived: %s", reason)
	}
	return sample{status: rollout.Errored, kind: "unsent", text: "the request could not be sent: " + reason, err: errNoResponse}
}

// isAlert reports whether the server ended the TLS connection with an alert. With TLS 1.3 it
// verifies the client certificate after the client has sent its request.
func isAlert(err error) bool {
	operation, is := errors.AsType[*net.OpError](err)
	return is && operation.Op == "remote error"
}
