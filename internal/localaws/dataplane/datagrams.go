package dataplane

import (
	"errors"
	"net"
	"sync"
	"time"
)

const (
	// udpIdleTimeout is how long a flow of UDP may go without data. AWS has no setting for it.
	udpIdleTimeout = 120 * time.Second
	maxDatagram    = 64 << 10
)

// sessions holds the flows of UDP by the address of the client.
type sessions struct {
	mu       sync.Mutex
	byClient map[string]*session
}

// session is a flow of UDP: the datagrams of one client, which all go to one target.
type session struct {
	flow   *flow
	target net.Conn
	idle   *idleTimer
}

// serveUDP passes datagrams to targets. The first one of a client chooses the target.
func (f *streamFront) serveUDP() error {
	buffer := make([]byte, maxDatagram)
	for {
		n, client, err := f.udp.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if isRefused(err) {
				continue // a client closed its socket before the answer arrived
			}
			return err
		}
		if s := f.session(client); s != nil {
			s.send(buffer[:n])
		}
	}
}

// session returns the flow of a client, a new one for its first datagram; nil if no target gets it.
func (f *streamFront) session(client net.Addr) *session {
	f.sessions.mu.Lock()
	defer f.sessions.mu.Unlock()
	if s := f.sessions.byClient[client.String()]; s != nil {
		return s
	}
	if f.stopped.Load() {
		return nil
	}
	c := f.choose()
	if c == nil || c.target == nil {
		return nil
	}
	target, err := net.Dial("udp", c.target.address)
	if err != nil {
		c.count(func(n *counter) { n.connectionErrors.Add(1) })
		return nil
	}
	s := &session{target: target}
	s.flow = &flow{end: func() {
		c.reset(ResetByBalancer)
		_ = target.Close() // ends the reader of answers
	}}
	s.idle = newIdleTimer(udpIdleTimeout, func(error) { s.flow.once.Do(func() { _ = target.Close() }) })
	if f.sessions.byClient == nil {
		f.sessions.byClient = map[string]*session{}
	}
	f.sessions.byClient[client.String()] = s
	c.count(func(n *counter) { n.active.Add(1) })
	leave := f.enter(s.flow, &c.target.flows)
	f.listener.plane.tasks.Go(func() {
		f.answer(client, s)
		f.sessions.mu.Lock()
		delete(f.sessions.byClient, client.String())
		f.sessions.mu.Unlock()
		s.flow.finish()
		s.idle.stop()
		leave()
		c.count(func(n *counter) { n.active.Add(-1) })
	})
	return s
}

// send passes a datagram to the target. A datagram that cannot be sent is lost, as on any network.
func (s *session) send(datagram []byte) {
	s.idle.restart()
	_, _ = s.target.Write(datagram)
}

// answer passes the datagrams of the target to the client until the flow ends.
func (f *streamFront) answer(client net.Addr, s *session) {
	buffer := make([]byte, maxDatagram)
	for {
		n, err := s.target.Read(buffer)
		switch {
		case isRefused(err):
			continue // the target refused a datagram; the next one may arrive
		case err != nil:
			return
		}
		s.idle.restart()
		_, _ = f.udp.WriteTo(buffer[:n], client)
	}
}
