package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// handshakeTimeout bounds the TLS handshake of a client, so that a silent one does not hold a connection.
const handshakeTimeout = 10 * time.Second

// streamFront serves a listener of a network load balancer: every new connection, or flow of UDP, goes to a target group by
// weight and stays with its target until it ends.
type streamFront struct {
	listener *liveListener
	tcp      net.Listener   // nil for UDP
	udp      net.PacketConn // nil for TCP and TLS
	secure   bool           // terminates TLS
	arrivals arrivals
	open     flowSet
	sessions sessions
	stopped  atomic.Bool // no new flows
	closed   atomic.Bool // all flows end
}

// bindStreams opens the sockets for TCP, UDP, or for both on the same port.
func (l *liveListener) bindStreams(address string) (front, error) {
	f := &streamFront{listener: l, secure: l.protocol == "TLS"}
	var err error
	if l.protocol != "UDP" {
		if f.tcp, err = net.Listen("tcp", address); err != nil {
			return nil, err
		}
		address = f.tcp.Addr().String()
	}
	if l.protocol == "UDP" || l.protocol == "TCP_UDP" {
		if f.udp, err = net.ListenPacket("udp", address); err != nil {
			return nil, errors.Join(err, f.stop())
		}
	}
	return f, nil
}

func (f *streamFront) address() string {
	if f.tcp != nil {
		return f.tcp.Addr().String()
	}
	return f.udp.LocalAddr().String()
}

func (f *streamFront) serve() error {
	var udp error
	var both sync.WaitGroup
	if f.udp != nil {
		both.Go(func() { udp = f.serveUDP() })
	}
	var tcp error
	if f.tcp != nil {
		tcp = f.serveTCP()
	}
	both.Wait()
	return errors.Join(tcp, udp)
}

func (f *streamFront) serveTCP() error {
	for {
		conn, err := f.tcp.Accept()
		if err != nil {
			return exceptClosed(err)
		}
		f.listener.plane.tasks.Go(func() { f.handle(conn) })
	}
}

// stop closes the socket of TCP. That of UDP remains until the flows have ended, because their answers leave through it.
func (f *streamFront) stop() error {
	f.stopped.Store(true)
	var err error
	if f.tcp != nil {
		err = exceptClosed(f.tcp.Close())
	}
	if f.udp != nil && f.open.size() == 0 {
		err = errors.Join(err, exceptClosed(f.udp.Close()))
	}
	return err
}

func (f *streamFront) finish(ctx context.Context) error {
	select {
	case <-f.open.drained():
		return f.close()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *streamFront) close() error {
	err := f.stop()
	f.closed.Store(true)
	f.open.cut()
	if f.udp != nil {
		err = errors.Join(err, exceptClosed(f.udp.Close()))
	}
	return err
}

// choice is the target of a new connection or flow, with all that counts it.
type choice struct {
	group    *liveGroup
	target   *liveTarget // nil: the group has no target for it
	counters []*counter
	idle     time.Duration
}

func (c *choice) count(add func(*counter)) {
	for _, one := range c.counters {
		add(one)
	}
}

// reset counts a connection that somebody reset.
func (c *choice) reset(by Peer) {
	c.count(func(n *counter) {
		switch by {
		case ResetByClient:
			n.clientResets.Add(1)
		case ResetByTarget:
			n.targetResets.Add(1)
		case ResetByBalancer:
			n.cut.Add(1)
		}
	})
	c.group.count(func(m GroupMetrics) { m.Reset(by) })
}

// choose returns the target group of a new connection by weight and its target; nil if every weight is 0.
func (f *streamFront) choose() *choice {
	l := f.listener
	l.counts.requests.Add(1)
	t := l.table.Load()
	forward := t.rules[len(t.rules)-1].forward
	zone := f.arrivals.next(t.zones, forward)
	at := forward.chooser.Next()
	if at < 0 {
		l.counts.noGroup.Add(1)
		return nil
	}
	l.counts.forwarded.Add(1)
	group := forward.groups[at]
	c := &choice{group: group, target: group.pickIn(zone), counters: []*counter{&group.counts.counter}, idle: t.idleTimeout}
	group.counts.requests.Add(1)
	if c.target == nil {
		group.counts.refused.Add(1)
		return c
	}
	c.target.counts.requests.Add(1)
	c.counters = append(c.counters, c.target.counts)
	group.count(GroupMetrics.Flow)
	return c
}

// handle proxies one connection from its start to its end.
func (f *streamFront) handle(conn net.Conn) {
	client := newStream(conn)
	if f.secure {
		secured := tls.Server(conn, f.listener.plane.tlsConfig())
		ctx, cancel := context.WithTimeout(f.listener.plane.ctx, handshakeTimeout)
		err := secured.HandshakeContext(ctx)
		cancel()
		if err != nil {
			client.reset()
			return
		}
		client.Conn = secured
	}
	c := f.choose()
	if c == nil || c.target == nil {
		client.reset()
		return
	}
	target, err := f.dial(c.target)
	if err != nil {
		c.count(func(n *counter) { n.connectionErrors.Add(1) })
		c.reset(ResetByTarget)
		client.reset()
		return
	}
	f.proxy(c, client, target)
}

// dial connects to a target, with TLS if the group has that protocol.
func (f *streamFront) dial(t *liveTarget) (*stream, error) {
	conn, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(f.listener.plane.ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	s := newStream(conn)
	if t.scheme == "tls" {
		s.Conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // NLB does not validate certificates of targets either
	}
	return s, nil
}

// proxy copies in both directions until both have ended, one was reset, or the load balancer cuts the connection.
func (f *streamFront) proxy(c *choice, client, target *stream) {
	flow := &flow{end: func() {
		c.reset(ResetByBalancer)
		client.reset()
		target.reset()
	}}
	c.count(func(n *counter) { n.active.Add(1) })
	leave := f.enter(flow, &c.target.flows)
	idle := newIdleTimer(c.idle, func(error) { flow.cut() })
	var both sync.WaitGroup
	both.Go(func() {
		f.copy(c, flow, direction{from: client, to: target, peer: ResetByClient, other: ResetByTarget, idle: idle})
	})
	both.Go(func() {
		f.copy(c, flow, direction{from: target, to: client, peer: ResetByTarget, other: ResetByClient, idle: idle})
	})
	both.Wait()
	flow.finish()
	idle.stop()
	leave()
	c.count(func(n *counter) { n.active.Add(-1) })
	client.shut()
	target.shut()
}

// enter adds a flow to those of the listener and of its target, and returns a function that removes it. A flow that begins
// while the listener is being closed ends at once.
func (f *streamFront) enter(flow *flow, target *flowSet) (leave func()) {
	f.open.add(flow)
	target.add(flow)
	if f.closed.Load() {
		flow.cut()
	}
	return func() {
		f.open.remove(flow)
		target.remove(flow)
	}
}

// direction is one half of a connection, from a peer to the other.
type direction struct {
	from, to    *stream
	peer, other Peer
	idle        *idleTimer
}

// copy passes data on until its end, which it passes on as well. A reset is passed to the other peer.
func (f *streamFront) copy(c *choice, flow *flow, d direction) {
	buffer := f.listener.plane.buffers.Get()
	defer f.listener.plane.buffers.Put(buffer)
	writer := &trackedWriter{Writer: d.to}
	_, err := io.CopyBuffer(writer, d.idle.wrap(d.from), buffer)
	if err == nil {
		d.to.closeWrite()
		return
	}
	flow.once.Do(func() {
		by := d.peer
		if writer.failed {
			by = d.other
		}
		c.reset(by)
		d.from.reset()
		d.to.reset()
	})
}

// trackedWriter remembers whether writing failed, which io.Copy does not distinguish from reading. It hides the other methods
// of the connection, so that io.Copy uses the buffer and every read restarts the idle timer.
type trackedWriter struct {
	io.Writer
	failed bool
}

// Write writes to the peer.
func (w *trackedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.failed = w.failed || err != nil
	return n, err
}

// stream is a connection to a peer. Conn is what data goes through, raw the connection below TLS.
type stream struct {
	net.Conn
	raw net.Conn
}

func newStream(conn net.Conn) *stream { return &stream{Conn: conn, raw: conn} }

// closeWrite signals the peer that no more data follows.
func (s *stream) closeWrite() {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		s.ignore(half.CloseWrite())
	}
}

// reset ends the connection with a RST.
func (s *stream) reset() {
	if tcp, ok := s.raw.(*net.TCPConn); ok {
		s.ignore(tcp.SetLinger(0))
	}
	s.ignore(s.raw.Close())
}

// shut closes what is left of the connection.
func (s *stream) shut() { s.ignore(s.raw.Close()) }

// ignore drops the error of closing a connection: the peer may have closed it first, and nothing more can be done.
func (s *stream) ignore(error) {}

// isRefused reports whether a peer refused or reset a flow of UDP, which arrives as an ICMP message.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
