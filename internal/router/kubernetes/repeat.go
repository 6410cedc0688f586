package kubernetes

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

const (
	// readTimeout limits a read with all its attempts, where its context lasts longer.
	readTimeout = 30 * time.Second
	// firstAnswerTimeout does as long as the API has answered nothing yet: its address is probably wrong.
	firstAnswerTimeout = 5 * time.Second
	// The pause between two attempts doubles from minPause to maxPause.
	minPause, maxPause = 100 * time.Millisecond, time.Second
)

// try makes a request. A read is repeated until it has an answer: an API server that is replaced refuses connections
// for a moment, or answers with server errors. It ends with the last error before the context does.
func (c *caller) try(ctx context.Context, verb string, is *attempt, request func() error) error {
	began := time.Now()
	if verb != "get" && verb != "list" {
		return c.noted(request())
	}
	is.timeout = readTimeout
	if !c.once {
		is.timeout = attemptTimeout
	}
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := c.noted(request())
		left := time.Until(c.limit(ctx, began)) - pause - idlePause
		if c.once || !mayPass(err) || left <= 0 || !awscall.WaitFor(ctx, pause) {
			return err
		}
		is.timeout = max(left, attemptTimeout)
	}
}

// noted notes whether the API has answered.
func (c *caller) noted(err error) error {
	if _, status := errors.AsType[*apierrors.StatusError](err); err == nil || status && !isServerError(err) {
		c.answered.Store(true)
	}
	return err
}

// limit returns when no further attempt of a read may begin.
func (c *caller) limit(ctx context.Context, began time.Time) time.Time {
	until := began.Add(readTimeout)
	if !c.answered.Load() {
		until = began.Add(firstAnswerTimeout)
	}
	if deadline, limited := ctx.Deadline(); limited && deadline.Before(until) {
		until = deadline
	}
	return until
}

// mayPass reports whether another attempt may succeed.
func mayPass(err error) bool {
	_, broken := errors.AsType[*brokenError](err)
	return broken || isServerError(err)
}

func isServerError(err error) bool {
	status, is := errors.AsType[*apierrors.StatusError](err)
	return is && status.ErrStatus.Code >= http.StatusInternalServerError
}

// brokenError is an attempt without a connection or without a whole answer.
type brokenError struct{ err error }

// Error implements error.
func (e *brokenError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *brokenError) Unwrap() error { return e.err }

// isWrong reports whether the address or the certificates of an API are wrong, which no other attempt changes.
func isWrong(err error) bool {
	name, is := errors.AsType[*net.DNSError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, header := errors.AsType[tls.RecordHeaderError](err)
	return is && name.IsNotFound || certificate || alert || header
}
