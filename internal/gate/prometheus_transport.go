package gate

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxResultBytes is how many bytes of a result are read. That is about ten thousand
// samples, more than a limit is useful for.
const maxResultBytes = 10 << 20

var errTooLong = errors.New("the response is larger than 10 MiB")

// redirectError is the error for a response with a 3xx status.
type redirectError struct {
	status int
	to     string
}

// Error implements error.
func (r redirectError) Error() string {
	if r.to == "" {
		return fmt.Sprintf("status %d, expected the result of a query", r.status)
	}
	return fmt.Sprintf("status %d to %s (redirects are not followed)", r.status, r.to)
}

// headerTransport adds headers to the requests of the Prometheus client, which has no
// option for them, and limits the size of responses.
type headerTransport struct {
	http.RoundTripper
	sent http.Header
}

// RoundTrip implements http.RoundTripper.
func (c headerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	addHeaders(req, c.sent)
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

// limitedBody returns errTooLong if a body is too long.
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
