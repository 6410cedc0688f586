package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/util/net"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

// attempts makes the attempts of requests, each within a timeout. client-go repeats those that the API throttles,
// after the time that it asks for.
type attempts struct {
	next    http.RoundTripper
	timeout time.Duration
	silent  *atomic.Bool // an attempt had no answer: its connection may be dead
}

// idlePause is how long a connection takes at most until it is idle after the timeout of its last request.
const idlePause = 10 * time.Millisecond

// attemptKey is the key in a context of an *attempt.
type attemptKey struct{}

// attempt is what a request and its attempts share.
type attempt struct {
	timeout time.Duration // 0: that of the client
	// throttled is whether the last answer was 429. Where the context ends while client-go waits, client-go returns
	// only that.
	throttled atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	is, _ := r.Context().Value(attemptKey{}).(*attempt)
	if is == nil {
		is = &attempt{}
	}
	a.timeout = cmp.Or(is.timeout, a.timeout)
	if a.silent.Swap(false) && awscall.WaitFor(r.Context(), idlePause) {
		closeIdle(a.next) // with HTTP/2, this attempt would use the same connection
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	answer, err := a.next.RoundTrip(r.WithContext(ctx))
	is.throttled.Store(err == nil && answer.StatusCode == http.StatusTooManyRequests)
	if err != nil {
		a.silent.Store(ctx.Err() != nil)
		cancel()
		return answer, a.named(r.Context(), err)
	}
	if r.Method != http.MethodGet && answer.StatusCode >= http.StatusInternalServerError {
		answer.Header.Del("Retry-After") // the write may have been carried out, and client-go would repeat it
	}
	if isPage(answer) {
		cancel()
		return nil, errors.Join(errUnreadable, answer.Body.Close())
	}
	answer.Body = &limitedBody{answer.Body, cancel, a, r}
	return answer, nil
}

// closeIdle closes the connections that no request uses.
func closeIdle(transport http.RoundTripper) {
	switch t := transport.(type) {
	case interface{ CloseIdleConnections() }:
		t.CloseIdleConnections()
	case net.RoundTripperWrapper:
		closeIdle(t.WrappedRoundTripper())
	}
}

// isPage reports whether an answer of success is none of the API, such as the page of a proxy.
func isPage(answer *http.Response) bool {
	is, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	return answer.StatusCode < http.StatusMultipleChoices && (answer.ContentLength == 0 || is != "application/json")
}

// named returns the error of an attempt. Its own timeout is not that of the request's context.
func (a attempts) named(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil || isWrong(err):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s", a.timeout.Round(time.Second))
	}
	return &brokenError{err}
}

// limitedBody is a body that is read within the timeout of its attempt.
type limitedBody struct {
	io.ReadCloser
	cancel   context.CancelFunc
	attempts attempts
	request  *http.Request
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.attempts.named(b.request.Context(), err)
	}
	return n, err
}

// Close implements io.Closer.
func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
