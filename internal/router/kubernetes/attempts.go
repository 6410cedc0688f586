package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// attempts makes the attempts of requests, each within a timeout. client-go repeats those that the API throttles,
// after the time that it asks for. Where the context ends meanwhile, client-go returns only that, so that attempts
// notes the answer of 429.
type attempts struct {
	next    http.RoundTripper
	timeout time.Duration
}

// throttledKey is the key in a context of whether the last answer was 429, an *atomic.Bool.
type throttledKey struct{}

// RoundTrip implements http.RoundTripper.
func (a attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		a.timeout = readAttemptTimeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	answer, err := a.next.RoundTrip(r.WithContext(ctx))
	if throttled, is := r.Context().Value(throttledKey{}).(*atomic.Bool); is {
		throttled.Store(err == nil && answer.StatusCode == http.StatusTooManyRequests)
	}
	if err != nil {
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

// isPage reports whether an answer of success is none of the API, such as the page of a proxy.
func isPage(answer *http.Response) bool {
	is, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	return answer.StatusCode < http.StatusMultipleChoices && (answer.ContentLength == 0 || is != "application/json")
}

// named returns the error of an attempt. Its own timeout is not that of the request's context.
func (a attempts) named(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("no answer within %s", a.timeout)
	}
	return err
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
