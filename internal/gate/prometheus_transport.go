package gate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxResultBytes is how many bytes of a result are read: some ten thousand samples,
// more than anybody compares with one limit.
const maxResultBytes = 10 << 20

var errTooLong = errors.New("the answer has more than 10 MiB")

// redirectError is the error of an answer that points elsewhere.
type redirectError struct {
	status int
	to     string
}

// Error implements error.
func (r redirectError) Error() string {
	if r.to == "" {
		return fmt.Sprintf("status %d, which is no answer to a query", r.status)
	}
	return fmt.Sprintf("status %d to %s, which is not followed", r.status, r.to)
}

// headerTransport adds headers to what a client sends that has no place for them, and
// bounds what comes back.
type headerTransport struct {
	http.RoundTripper
	sent http.Header
}

// RoundTrip implements http.RoundTripper.
func (c headerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for name, values := range c.sent {
		req.Header[name] = values
	}
	if host := c.sent.Get("Host"); host != "" {
		req.Host = host
	}
	res, err := c.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 && res.StatusCode <= 399 {
		_ = res.Body.Close()
		return nil, redirectError{res.StatusCode, redirectTarget(res)}
	}
	res.Body = &limitedBody{ReadCloser: res.Body, remaining: maxResultBytes + 1}
	return res, nil
}

// limitedBody ends with an error where a body is too long.
type limitedBody struct {
	io.ReadCloser
	remaining int
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.remaining <= 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.remaining)])
	b.remaining -= n
	return n, err
}
