package dataplane

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// connectTimeout is ALB's timeout for connecting to a target.
	connectTimeout = 10 * time.Second
	// targetIdleTimeout is how long an idle connection to a target stays open. It is shorter than the keep-alive
	// timeout of common servers (5 s in Node.js). The proxy therefore closes first in nearly all cases, and no
	// request is written to a connection that the target is about to close.
	targetIdleTimeout = 4 * time.Second
	// maxBufferedBody is the largest request body, in bytes, that is buffered. The transport can send a buffered body
	// again if a reused connection turns out to be closed before anything was written to it.
	maxBufferedBody = 64 << 10
	// statusClientClosed is the status in ALB logs and metrics for a client that disconnected before a response.
	statusClientClosed = 460
)

// errIdleTimeout is the cancellation cause of a request that exceeded the idle timeout.
var errIdleTimeout = errors.New("the target was silent for longer than the idle timeout")

// newTransport allows enough idle connections per target that thousands of requests a second reuse them. A new
// connection for each request would exhaust the local ports.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		MaxIdleConnsPerHost: 4096,
		IdleConnTimeout:     targetIdleTimeout,
		DisableCompression:  true,                                  // responses are passed through unchanged
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // ALB does not validate certificates of targets either
	}
}

func newHTTP2Transport() *http.Transport {
	t := newTransport()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// forwarder is the runtime form of a forward action.
type forwarder struct {
	groups  []*liveGroup
	chooser *Chooser
	sticky  time.Duration // 0: clients are not bound to a group
}

// choose returns the group for a request. A valid sticky cookie selects its group while that is in the action,
// even at weight 0. choose returns nil if every weight is 0.
func (f *forwarder) choose(r *http.Request) *liveGroup {
	if f.sticky > 0 {
		if arn, ok := readCookie(r, groupCookie); ok {
			for _, g := range f.groups {
				if g.arn == arn {
					return g
				}
			}
		}
	}
	if i := f.chooser.Next(); i >= 0 {
		return f.groups[i]
	}
	return nil
}

// exchange is one proxied request and its response.
type exchange struct {
	listener *liveListener
	table    *table
	group    *liveGroup
	target   *liveTarget
	cookies  []*http.Cookie
	idle     *idleTimer
	client   context.Context // canceled when the client disconnects
	counters []*counter
	lastSent atomic.Int64 // when the last byte of the request was sent, in nanoseconds since the Unix epoch
}

func (l *liveListener) forward(w http.ResponseWriter, r *http.Request, t *table, f *forwarder) {
	group := f.choose(r)
	if group == nil {
		l.counts.noGroup.Add(1)
		l.respondError(w, http.StatusServiceUnavailable)
		return
	}
	group.counts.requests.Add(1)
	target := group.pick(r)
	if target == nil {
		group.counts.elb503.Add(1)
		l.respondError(w, http.StatusServiceUnavailable)
		return
	}
	target.counts.requests.Add(1)
	group.count(GroupMetrics.Request) // AWS counts a request only once a target is chosen
	x := &exchange{listener: l, table: t, group: group, target: target, client: r.Context(), counters: []*counter{&group.counts.counter, target.counts}}
	if target.address == "" { // a Lambda function, which cannot run here
		x.count(func(c *counter) { c.elb502.Add(1) })
		l.respondError(w, http.StatusBadGateway)
		return
	}
	x.cookies = append(stickyCookies(r, groupCookie, group.arn, f.sticky), group.targetCookies(r, target)...)
	x.run(w, r)
}

func (x *exchange) count(f func(*counter)) {
	for _, c := range x.counters {
		f(c)
	}
}

func (x *exchange) run(w http.ResponseWriter, r *http.Request) {
	if err := bufferBody(r); err != nil {
		x.count(func(c *counter) { c.clientDisconnects.Add(1) })
		x.listener.respondError(w, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	x.idle = newIdleTimer(x.table.idleTimeout, cancel)
	defer x.idle.stop()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = x.idle.wrapRequest(r.Body, &x.lastSent)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: x.group.transport(), ModifyResponse: x.modifyResponse, ErrorHandler: x.handleError,
		BufferPool: x.listener.plane.buffers, ErrorLog: log.New(io.Discard, "", 0),
	}
	defer x.countTruncated()
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// countTruncated counts a response that ends early, which ReverseProxy reports with a panic.
func (x *exchange) countTruncated() {
	if cause := recover(); cause != nil {
		if x.client.Err() == nil {
			x.count(func(c *counter) { c.truncated.Add(1) })
		}
		panic(cause)
	}
}

// bufferBody buffers a small body, which allows the transport to send it twice.
func bufferBody(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > maxBufferedBody {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, err = r.GetBody()
	return err
}

// rewrite directs a request to its target and adds the headers of ALB.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	x.lastSent.Store(time.Now().UnixNano())
	p.Out.URL.Scheme = x.target.scheme
	p.Out.URL.Host = x.target.address
	p.Out.URL.RawQuery = p.In.URL.RawQuery // unchanged, even if it is malformed
	p.Out.Host = p.In.Host
	port := x.table.port
	if _, used := splitHost(p.In.Host); used != "" {
		port = used
	}
	p.Out.Header.Set("X-Forwarded-Port", port)
	p.Out.Header.Set("X-Forwarded-Proto", schemeOf(p.In))
	if p.Out.Header.Get("X-Amzn-Trace-Id") == "" {
		p.Out.Header.Set("X-Amzn-Trace-Id", "Root=1-"+strconv.FormatInt(time.Now().Unix(), 16)+"-"+randomHex(12))
	}
	from := strings.Join(p.In.Header.Values("X-Forwarded-For"), ", ")
	client, _ := splitHost(p.In.RemoteAddr)
	switch {
	case x.table.forwardedFor == "remove":
		return
	case x.table.forwardedFor == "append" && from != "":
		from += ", " + client
	case x.table.forwardedFor == "append":
		from = client
	}
	if from != "" {
		p.Out.Header.Set("X-Forwarded-For", from)
	}
}

// modifyResponse processes the headers of the target's response before they are sent to the client.
func (x *exchange) modifyResponse(resp *http.Response) error {
	if class := resp.StatusCode / 100; class >= 1 && class <= 5 {
		x.count(func(c *counter) { c.class[class].Add(1) })
		took := time.Duration(time.Now().UnixNano() - x.lastSent.Load())
		x.group.count(func(m GroupMetrics) { m.Response(class, took) })
	}
	for _, cookie := range x.cookies {
		resp.Header.Add("Set-Cookie", cookie.String())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.idle.stop()
		return nil
	}
	resp.Body = x.idle.wrap(resp.Body)
	return nil
}

// handleError responds when the target did not.
func (x *exchange) handleError(w http.ResponseWriter, r *http.Request, err error) {
	if x.client.Err() != nil {
		x.count(func(c *counter) { c.clientDisconnects.Add(1) })
		x.listener.metrics.Generated(statusClientClosed)
		panic(http.ErrAbortHandler) // the client has disconnected
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		x.count(func(c *counter) { c.connectionErrors.Add(1) })
		x.group.count(GroupMetrics.ConnectionError)
	}
	if errors.Is(context.Cause(r.Context()), errIdleTimeout) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		x.count(func(c *counter) { c.elb504.Add(1) })
		x.listener.respondError(w, http.StatusGatewayTimeout)
		return
	}
	x.count(func(c *counter) { c.elb502.Add(1) })
	x.listener.respondError(w, http.StatusBadGateway)
}
