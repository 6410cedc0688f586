package localaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/cloudwatch"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/elbv2"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/route53"
)

// maxCalls is the number of calls that the journal holds.
const maxCalls = 100_000

// Server is a running stand-in: the APIs, the listeners behind them, the optional DNS server and the optional management port.
type Server struct {
	cfg      config
	journal  *journal
	faults   *faults.Set
	plane    *dataplane.Plane
	elb      *elbv2.Service
	route53  *route53.Service
	dns      *nameserver.Server // nil if it is off
	lambda   *lambda.Service
	endpoint *endpoint

	api        net.Listener
	management net.Listener
	servers    []*http.Server
	stop       context.CancelFunc
	tasks      sync.WaitGroup
	closeOnce  sync.Once
}

// Start opens its ports before it serves, which makes the endpoint usable as soon as Start returns. It logs
// that the server is not for production. The caller must Close the server.
func Start(opts ...Option) (*Server, error) {
	cfg := newConfig(opts)
	s := &Server{cfg: cfg, journal: newJournal(maxCalls), faults: faults.NewSet(slices.Concat(elbv2.Actions(), cloudwatch.Actions(), route53.Actions(), lambda.Actions()))}
	for _, f := range cfg.faults {
		if _, err := s.faults.Add(f); err != nil {
			return nil, err
		}
	}
	watch, err := cloudwatch.New(cloudwatch.Options{Account: cfg.account, Period: cfg.period, Delay: cfg.delay, Now: cfg.now})
	if err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.plane, err = dataplane.New(ctx, dataplane.Options{Log: cfg.log, Metrics: watch.LoadBalancers(), EphemeralPorts: cfg.ephemeral, FastHealth: cfg.fastHealth})
	if err != nil {
		stop()
		return nil, errors.Join(err, s.closeListeners())
	}
	s.elb = elbv2.New(s.plane, elbv2.Options{
		Log: cfg.log, Account: cfg.account, OmitLoneWeight: cfg.omitLoneWeight, StaleGroupBalancers: cfg.staleBalancers, Instances: cfg.instances, Propagation: cfg.propagation, Now: cfg.now,
		OwnAddresses: cfg.ownAddresses,
	})
	s.route53 = route53.New(route53.Options{
		Now: cfg.now, Propagation: cfg.recordPropagation, Processing: cfg.recordProcessing, RequestRate: cfg.route53Rate,
		BalancerZone: elbv2.CanonicalZone, Balancer: s.balancer,
	})
	if err := s.startDNS(); err != nil {
		stop()
		return nil, errors.Join(err, s.plane.Close(), s.closeListeners())
	}
	s.lambda = lambda.New(lambda.Options{
		Log: cfg.log, Account: cfg.account, Metrics: watch.Functions(), Activation: cfg.activation, Provisioning: cfg.provisioning, Propagation: cfg.propagation, Now: cfg.now,
	})
	s.endpoint = &endpoint{ctx: ctx, cfg: cfg, journal: s.journal, faults: s.faults, elb: s.elb, cloudWatch: watch, route53: s.route53, lambda: s.lambda}
	s.serve(ctx, s.api, s.endpoint)
	if s.management != nil {
		m := &management{log: cfg.log, endpoint: s.URL(), plane: s.plane, elb: s.elb, route53: s.route53, lambda: s.lambda, answers: s.DNSAnswers, faults: s.faults, journal: s.journal}
		s.serve(ctx, s.management, m.handler())
	}
	cfg.log.Warn("localaws is a stand-in for tests and rehearsals, not for production; it keeps no data after exit", "endpoint", s.URL())
	return s, nil
}

func (s *Server) listen() error {
	var err error
	if s.api, err = net.Listen("tcp", s.cfg.address); err != nil {
		return fmt.Errorf("listening for the API: %w", err)
	}
	if s.cfg.management == "" {
		return nil
	}
	if err = checkLoopback(s.cfg.management); err == nil {
		s.management, err = net.Listen("tcp", s.cfg.management)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("listening for management: %w", err), s.closeListeners())
	}
	return nil
}

func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address", host)
	}
	return nil
}

func (s *Server) closeListeners() error {
	var out []error
	for _, ln := range []net.Listener{s.api, s.management} {
		if ln != nil {
			out = append(out, ln.Close())
		}
	}
	return errors.Join(out...)
}

func (s *Server) serve(ctx context.Context, ln net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(s.cfg.log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.servers = append(s.servers, server)
	s.tasks.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.cfg.log.Error("server stopped unexpectedly", "address", ln.Addr().String(), "error", err)
		}
	})
}

// URL returns the endpoint of the API, such as "http://127.0.0.1:9000".
func (s *Server) URL() string { return "http://" + s.api.Addr().String() }

// ManagementURL returns the address of the management port, "" if it is off.
func (s *Server) ManagementURL() string {
	if s.management == nil {
		return ""
	}
	return "http://" + s.management.Addr().String()
}

// ListenerAddr returns the address on which a listener accepts connections, such as "127.0.0.1:8080". It
// returns "" for an ARN that does not identify a listener.
func (s *Server) ListenerAddr(listenerARN string) string { return s.plane.Address(listenerARN) }

// Counts returns what the data plane has counted for a target group since the group was created. The counts
// survive the deletion of the group and are never reset; subtract two snapshots to measure an interval.
func (s *Server) Counts(targetGroupARN string) dataplane.Counts {
	return s.plane.Counts(targetGroupARN)
}

// ListenerCounts returns what a listener has counted, for all its target groups and actions together.
func (s *Server) ListenerCounts(listenerARN string) dataplane.ListenerCounts {
	return s.plane.ListenerCounts(listenerARN)
}

// Calls returns the journal: the latest 100,000 API calls, in the order of their arrival.
func (s *Server) Calls() []Call { return s.journal.snapshot() }

// AwaitCall returns the first call in the journal that matches, as soon as there is one, or an error if ctx ends before.
// A call that was not yet answered has the status 0. match must not use the server.
func (s *Server) AwaitCall(ctx context.Context, match func(Call) bool) (Call, error) {
	found, err := s.journal.await(ctx, match)
	if err != nil {
		return Call{}, fmt.Errorf("waiting for a call: %w", err)
	}
	return found[0], nil
}

// Tags returns the tags of a load balancer, target group, listener or rule as they are, even while a fault makes
// DescribeTags show older ones. It returns none for an ARN that does not identify a resource.
func (s *Server) Tags(arn string) map[string]string { return s.elb.Tags()[arn] }

// Weights returns the weights of the target groups to which a listener or rule forwards, as they are, even while a fault
// makes calls fail or show older ones. It returns nil for an ARN that does not identify one, and for one that does not
// forward. A target group that is alone has at least 1.
func (s *Server) Weights(arn string) map[string]int { return s.elb.Weights(arn) }

// Lambda returns Lambda, with which a test ends what takes time there, and reads where an alias sends invocations.
func (s *Server) Lambda() *lambda.Service { return s.lambda }

// Hook adds a function that runs before every API call is executed, and returns a function that removes it. The hook
// may block and may call the API itself; it runs in the goroutine of the call.
func (s *Server) Hook(hook func(Call)) (remove func()) { return s.journal.addHook(hook) }

// CertificatePEM returns the certificate of all HTTPS listeners, which is generated at start and which clients must trust.
func (s *Server) CertificatePEM() []byte { return s.plane.CertificatePEM() }

// Inject adds a fault to the running server and returns a function that removes it. It panics for a fault that
// WithFault would not accept: a test whose fault never happens could not fail.
func (s *Server) Inject(f faults.Fault) (remove func()) {
	id, err := s.faults.Add(f)
	if err != nil {
		panic(err)
	}
	return func() { s.faults.Remove(id) }
}

// Close stops the API, the management port, all listeners with their in-flight requests, all health checks and
// all drains. It returns after they have ended, but does not wait for hooks that block. Further calls do
// nothing.
func (s *Server) Close() error {
	var out []error
	s.closeOnce.Do(func() {
		s.stop()
		for _, server := range s.servers {
			out = append(out, server.Close())
		}
		out = append(out, s.closeDNS())
		s.elb.Close() // a later write could open sockets that nobody closes
		out = append(out, s.plane.Close())
		s.lambda.Close()
		s.tasks.Wait()
	})
	return errors.Join(out...)
}
