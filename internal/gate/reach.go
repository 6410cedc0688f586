package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// reachPause is the pause between two attempts to connect: a name or a listener that was just
// created may need a few seconds.
const reachPause = time.Second

// reach connects to the server of a request as its client does, with the proxy of the
// environment, and verifies the certificate. It sends no request. It tries again until ctx
// ends, unless the server answers in a way that does not change.
func reach(ctx context.Context, client *http.Client, req *http.Request) error {
	for {
		err := connect(ctx, client, req)
		if err == nil || isSettled(err) {
			return err
		}
		timer := time.NewTimer(reachPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// isSettled reports whether other attempts would end in the same way.
func isSettled(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return untrusted || plain
}

// connect closes the connection as soon as the transport has it, which is before the transport
// writes the request.
func connect(ctx context.Context, client *http.Client, req *http.Request) error {
	shared, ok := client.Transport.(*http.Transport)
	if !ok {
		return fmt.Errorf("the transport is a %T", client.Transport)
	}
	transport := shared.Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true) // HTTP/2 has a preface of its own
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	connected := false
	res, err := transport.RoundTrip(req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			connected = true
			_ = info.Conn.Close()
			cancel()
		},
	})))
	if res != nil {
		_ = res.Body.Close()
	}
	if connected {
		return nil
	}
	return err
}

// reachVerdict is the verdict of a preflight that only connects.
func (m mask) reachVerdict(ctx context.Context, client *http.Client, req *http.Request, err error) rollout.Verdict {
	if err == nil {
		err = reach(ctx, client, req)
	}
	switch {
	case err == nil:
		return rollout.Verdict{Status: rollout.Pass, Detail: "the server can be reached"}
	case errors.Is(ctx.Err(), context.Canceled):
		return rollout.Verdict{Status: rollout.Errored, Detail: "no connection (evaluation canceled)", Err: ctx.Err()}
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok { // repeats the URL
		err = urlErr.Err
	}
	text := oneLine(m.hide(err.Error()))
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no connection within the timeout of the gate"
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: "the server cannot be reached: " + text, Err: rollout.ErrUnreachable}
}
