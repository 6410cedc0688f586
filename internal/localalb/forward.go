package localalb

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
	// connectTimeout is how long ALB waits for a connection to a target.
	connectTimeout = 10 * time.Second
	// targetIdle is how long an unused connection to a target is kept. It is shorter than the keep-alive of
	// common servers (Node.js has 5 s), so that it is nearly always us who close first and no request is
	// written into a connection that the target is about to close.
	targetIdle = 4 * time.Second
	// rewindable is the size up to which a request's body is kept in memory. The transport can then send it
	// again where a kept connection turned out to be closed before anything was written to it.
	rewindable = 64 << 10
	// statusClientGone is how ALB calls, in its logs and figures, a client that left before there was an answer.
	statusClientGone = 460
)

// errTargetSilent is the cause of a request that is given up since its target says nothing.
var errTargetSilent = errors.New("the target was silent for longer than the idle timeout")

// newTransport keeps enough connections to each target that thousands of requests a second reuse them: a
// new connection for each would use up the machine's ports.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		MaxIdleConnsPerHost: 4096,
		IdleConnTimeout:     targetIdle,
		DisableCompression:  true,                                  // what the target sends is passed on as it is
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // ALB does not check its targets' certificates either.
	}
}

func newHTTP2Transport() *http.Transport {
	t := newTransport()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// forwarder is a forward action at run time.
type forwarder struct {
	groups  []*liveGroup
	chooser *Chooser
	sticky  stickiness
}

// choose is the group for a request: the one that its cookie names while the action still names it, even at
// weight 0, else the one whose turn it is. It is nil where no group has a weight.
func (f *forwarder) choose(r *http.Request) *liveGroup {
	if f.sticky.Enabled {
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

// exchange is one request on its way to a target and back.
type exchange struct {
	listener *liveListener
	table    *table
	group    *liveGroup
	target   *liveTarget
	cookies  []*http.Cookie
	silence  *silence
	client   context.Context // ends when the client goes
	counters []*counter
	sent     atomic.Int64 // when the request had last been written to the target, nanoseconds since 1970
}

func (l *liveListener) forward(w http.ResponseWriter, r *http.Request, t *table, f *forwarder) {
	group := f.choose(r)
	if group == nil {
		l.counts.noGroup.Add(1)
		l.refuse(w, http.StatusServiceUnavailable)
		return
	}
	group.counts.requests.Add(1)
	target := group.pick(r)
	if target == nil {
		group.counts.elb503.Add(1)
		l.refuse(w, http.StatusServiceUnavailable)
		return
	}
	target.counts.requests.Add(1)
	group.traffic().count(requestCount) // only now: AWS counts no request for which there was no target
	x := &exchange{listener: l, table: t, group: group, target: target, client: r.Context(), counters: []*counter{&group.counts.counter, target.counts}}
	if target.address == "" { // a Lambda function: nothing here can run it
		x.count(func(c *counter) { c.elb502.Add(1) })
		l.refuse(w, http.StatusBadGateway)
		return
	}
	x.cookies = append(stickyCookies(r, f.sticky, group.arn), group.targetCookies(r, target)...)
	x.run(w, r)
}

func (x *exchange) count(f func(*counter)) {
	for _, c := range x.counters {
		f(c)
	}
}

func (x *exchange) run(w http.ResponseWriter, r *http.Request) {
	if err := keepBody(r); err != nil {
		x.count(func(c *counter) { c.clientGone.Add(1) })
		x.listener.refuse(w, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	x.silence = watchSilence(x.table.idle, cancel)
	defer x.silence.stop()
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = x.silence.wrapRequest(r.Body, &x.sent)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: x.rewrite, Transport: x.group.transport(), ModifyResponse: x.passOn, ErrorHandler: x.fail,
		BufferPool: x.listener.plane.buffers, ErrorLog: log.New(io.Discard, "", 0),
	}
	defer x.noteBreak()
	proxy.ServeHTTP(w, r.WithContext(ctx))
}

// noteBreak counts an answer that breaks off half-way, which ReverseProxy reports by panicking.
func (x *exchange) noteBreak() {
	if cause := recover(); cause != nil {
		if x.client.Err() == nil {
			x.count(func(c *counter) { c.brokenOff.Add(1) })
		}
		panic(cause)
	}
}

// keepBody takes a small body into memory, so that it can be sent twice.
func keepBody(r *http.Request) error {
	if r.ContentLength <= 0 || r.ContentLength > rewindable {
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

// rewrite points a request at its target and adds the headers that ALB adds.
func (x *exchange) rewrite(p *httputil.ProxyRequest) {
	x.sent.Store(time.Now().UnixNano())
	p.Out.URL.Scheme = strings.ToLower(x.target.scheme)
	p.Out.URL.Host = x.target.address
	p.Out.URL.RawQuery = p.In.URL.RawQuery // passed on as it is, even where it is malformed
	p.Out.Host = p.In.Host
	port := x.table.port
	if _, used := splitHost(p.In.Host); used != "" {
		port = used
	}
	p.Out.Header.Set("X-Forwarded-Port", port)
	p.Out.Header.Set("X-Forwarded-Proto", schemeOf(p.In))
	if p.Out.Header.Get("X-Amzn-Trace-Id") == "" {
		p.Out.Header.Set("X-Amzn-Trace-Id", "Root=1-"+strconv.FormatInt(time.Now().Unix(), 16)+"-"+newID()+newID()[:8])
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

// passOn sees the head of the target's answer before the client does.
func (x *exchange) passOn(resp *http.Response) error {
	if class := resp.StatusCode / 100; class >= 1 && class <= 5 {
		x.count(func(c *counter) { c.class[class].Add(1) })
		x.group.traffic().answered(class, time.Duration(time.Now().UnixNano()-x.sent.Load()))
	}
	for _, cookie := range x.cookies {
		resp.Header.Add("Set-Cookie", cookie.String())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		x.silence.stop()
		return nil
	}
	resp.Body = x.silence.wrap(resp.Body)
	return nil
}

// fail answers for a target that gave no answer.
func (x *exchange) fail(w http.ResponseWriter, r *http.Request, err error) {
	if x.client.Err() != nil {
		x.count(func(c *counter) { c.clientGone.Add(1) })
		x.listener.noteOwn(statusClientGone)
		panic(http.ErrAbortHandler) // nobody is there to be answered
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		x.count(func(c *counter) { c.connectionErrors.Add(1) })
		x.group.traffic().count(connectionErrors)
	}
	if errors.Is(context.Cause(r.Context()), errTargetSilent) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		x.count(func(c *counter) { c.elb504.Add(1) })
		x.listener.refuse(w, http.StatusGatewayTimeout)
		return
	}
	x.count(func(c *counter) { c.elb502.Add(1) })
	x.listener.refuse(w, http.StatusBadGateway)
}
