package nameserver

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// Options configures a Server.
type Options struct {
	// Log is required.
	Log *slog.Logger
	// Source is what the server answers from. It is required.
	Source Source
	// Address is where the server listens, for UDP and TCP. With port 0, it takes one that is free for both.
	Address string
	// Exact chooses among weighted record sets exactly by weight, instead of at random.
	Exact bool
	// BalancerDomain is the domain of the DNS names of load balancers, which the server answers for as well.
	BalancerDomain string
}

// Server is a running DNS server.
type Server struct {
	opts    Options
	address string
	servers []*dns.Server
	tasks   sync.WaitGroup
	chooser chooser

	mu      sync.Mutex
	answers map[Key]map[string]int
}

// attempts is how many ports are tried that are free for TCP but not for UDP.
const attempts = 20

// Start starts a server. The caller must Close it.
func Start(opts Options) (*Server, error) {
	opts.BalancerDomain = dns.CanonicalName(opts.BalancerDomain)
	stream, packets, err := listen(opts.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for DNS: %w", err)
	}
	s := &Server{opts: opts, address: stream.Addr().String(), chooser: newChooser(opts.Exact), answers: map[Key]map[string]int{}}
	s.serve(&dns.Server{Listener: stream, Handler: s})
	s.serve(&dns.Server{PacketConn: packets, Handler: s})
	return s, nil
}

// listen opens the same port for TCP and UDP.
func listen(address string) (net.Listener, net.PacketConn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, err
	}
	for tried := 1; ; tried++ {
		stream, err := net.Listen("tcp", address)
		if err != nil {
			return nil, nil, err
		}
		packets, err := net.ListenPacket("udp", stream.Addr().String())
		if err == nil {
			return stream, packets, nil
		}
		if err := errors.Join(err, stream.Close()); port != "0" || tried == attempts {
			return nil, nil, err
		}
	}
}

// serve returns when the server answers.
func (s *Server) serve(server *dns.Server) {
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	s.servers = append(s.servers, server)
	s.tasks.Go(func() {
		if err := server.ActivateAndServe(); err != nil {
			s.opts.Log.Error("DNS server stopped unexpectedly", "address", s.address, "error", err)
		}
	})
	<-started
}

// Address returns where the server listens, "host:port".
func (s *Server) Address() string { return s.address }

// Answers returns how often each record set with a name and a type was the answer, by set identifier. Record sets that are
// not weighted have "".
func (s *Server) Answers(name, kind string) map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]int{}
	maps.Copy(out, s.answers[Key{dns.CanonicalName(name), dns.StringToType[strings.ToUpper(kind)]}])
	return out
}

// count counts an answer.
func (s *Server) count(key Key, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers[key] == nil {
		s.answers[key] = map[string]int{}
	}
	s.answers[key][id]++
}

// Close stops the server. It returns when no query is being answered.
func (s *Server) Close() error {
	var out []error
	for _, server := range s.servers {
		out = append(out, server.Shutdown())
	}
	s.tasks.Wait()
	return errors.Join(out...)
}
