package gate

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	transport "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// GRPC is the arguments of the kind "grpc": one call of grpc.health.v1.Health/Check per
// evaluation, on a connection of its own, because a load balancer chooses the target of a call or
// of a connection.
//
// SERVING passes and NOT_SERVING fails. UNKNOWN is inconclusive: the server has not decided yet.
// SERVICE_UNKNOWN, and a call that ends with NOT_FOUND (the server does not know the service),
// UNIMPLEMENTED (it has no health service), UNAUTHENTICATED or PERMISSION_DENIED, says nothing about
// the release and is an error. Any other status of the call fails, and so does a connection that
// breaks after the call was sent. A server that cannot be reached, and no response within the gate's
// timeout, are errors.
type GRPC struct {
	Address    string            // host:port; required
	Service    string            // name in the request; empty: the server as a whole
	Plaintext  bool              // no TLS
	Headers    map[string]string // metadata of the call
	HeadersEnv map[string]string // environment variable with the value, by header
	Connection
	InsecureSkipVerify bool // accept any certificate
}

// fill fills in the placeholders of the address, the service and the headers.
func (c GRPC) fill(f fill) GRPC {
	c.Address = f(ArgumentError{Argument: "address"}, c.Address, placeholder.Plain)
	c.Service = f(ArgumentError{Argument: "service"}, c.Service, placeholder.Plain)
	c.Headers = f.fillMap("headers", c.Headers)
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c GRPC) NeedsLive() *ArgumentError { return filling[GRPC](c.fill).needsLive() }

// Check returns everything that is wrong with the arguments, without reading the
// environment or files.
func (c GRPC) Check() []*ArgumentError {
	sample, errs := filling[GRPC](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c GRPC) check() []*ArgumentError {
	errs := slices.Concat(checkAddress(c.Address), c.call().checkHeaders(), c.Connection.Check(), c.checkSkipVerify(c.InsecureSkipVerify))
	for name := range c.Headers {
		errs = append(errs, checkMetadata("headers", name)...)
	}
	for name := range c.HeadersEnv {
		errs = append(errs, checkMetadata("headers_env", name)...)
	}
	if c.Plaintext {
		errs = append(errs, c.withoutTLS("plaintext is set")...)
		if c.InsecureSkipVerify {
			errs = append(errs, invalid("insecure_skip_verify", "it would have no effect: plaintext is set"))
		}
	}
	return errs
}

func checkAddress(address string) []*ArgumentError {
	if address == "" {
		return []*ArgumentError{{Argument: "address", Err: ErrMissing}}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || strings.ContainsAny(host, "/ ") {
		return []*ArgumentError{invalid("address", "it must be a host and a port, such as app.example.com:443")}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return []*ArgumentError{invalid("address", "the port must be a number from 1 to 65535")}
	}
	return nil
}

// checkMetadata reports a header that gRPC sets, or that would be sent in another form.
func checkMetadata(argument, name string) []*ArgumentError {
	lower, reason := strings.ToLower(name), ""
	switch {
	case lower == "host":
		reason = "set server_name instead"
	case slices.Contains([]string{"content-type", "te", "user-agent"}, lower), strings.HasPrefix(lower, "grpc-"):
		reason = "gRPC sets this header"
	case strings.HasSuffix(lower, "-bin"):
		reason = "headers that end in -bin are binary"
	default:
		return nil
	}
	return []*ArgumentError{{Argument: argument, Key: name, Err: fmt.Errorf("%w: %s", ErrInvalid, reason)}}
}

// call is the arguments that the kind has in common with an HTTP request.
func (c GRPC) call() Request { return Request{Headers: c.Headers, HeadersEnv: c.HeadersEnv} }

// NewGRPC returns a gRPC health gate, which keeps no connection open between evaluations.
// Wrong arguments are returned as joined *ArgumentError.
func NewGRPC(c GRPC, deps Dependencies) (rollout.Gate, error) {
	return filling[GRPC](c.fill).build(func(c GRPC) (rollout.Gate, error) { return newGRPC(c, deps) })
}

func newGRPC(c GRPC, deps Dependencies) (rollout.Gate, error) {
	sent, unset := c.call().read(deps.Lookup)
	config, unread := c.config()
	if errs := slices.Concat(c.check(), unset, unread); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	g := &grpcGate{GRPC: c, sent: metadata.MD{}, mask: c.call().newMask(sent), credentials: insecure.NewCredentials()}
	sent.Del("User-Agent")
	for name, values := range sent {
		g.sent.Append(name, values...)
	}
	if !c.Plaintext {
		config.InsecureSkipVerify = c.InsecureSkipVerify
		g.credentials = transport.NewTLS(config)
	}
	return g, nil
}

type grpcGate struct {
	GRPC
	credentials transport.TransportCredentials
	sent        metadata.MD
	mask        mask
}

// answer is the result of one call.
type answer struct {
	health health.HealthCheckResponse_ServingStatus // if err is nil
	err    *status.Status                           // nil: the call succeeded
	isSent bool
	shake  error // of the TLS handshake; nil: it succeeded, or there was none
	took   time.Duration
}

// Preflight implements rollout.Preflight. It calls the server, which has no effect, and checks that
// there is an answer, whatever it says before the environment has any traffic.
func (g *grpcGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	for {
		a := g.check(ctx)
		v := g.verdict(ctx, a)
		switch {
		case a.isSent && v.Status == rollout.Errored && ctx.Err() == nil:
			return rollout.Verdict{Status: rollout.Pass, Detail: "the server can be reached", Advice: v.Detail}
		case a.isSent && ctx.Err() == nil:
			return rollout.Verdict{Status: rollout.Pass, Detail: "the server can be reached"}
		case isSettled(a.shake):
			return v
		}
		timer := time.NewTimer(reachPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return v
		}
	}
}

// Evaluate implements rollout.Gate.
func (g *grpcGate) Evaluate(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	return g.verdict(ctx, g.check(ctx))
}

// check calls the server once.
func (g *grpcGate) check(ctx context.Context) answer {
	start := time.Now()
	watch := &callWatch{TransportCredentials: g.credentials}
	conn, err := grpc.NewClient("dns:///"+g.Address,
		grpc.WithTransportCredentials(watch), grpc.WithStatsHandler(watch), grpc.WithUserAgent(userAgent),
		grpc.WithDisableServiceConfig(), grpc.WithDisableRetry())
	if err != nil {
		return answer{err: status.Convert(err)}
	}
	defer func() { _ = conn.Close() }()
	ctx = metadata.NewOutgoingContext(ctx, g.sent)
	res, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{Service: g.Service})
	a := answer{isSent: watch.isSent.Load(), took: time.Since(start)}
	if failed := watch.failed.Load(); failed != nil {
		a.shake = *failed
	}
	if err != nil {
		a.err = status.Convert(err)
		return a
	}
	a.health = res.GetStatus()
	return a
}

// callWatch observes how far a call gets: the error of the client has only a text.
type callWatch struct {
	transport.TransportCredentials
	isSent atomic.Bool
	failed atomic.Pointer[error] // the last TLS handshake
}

// Clone implements credentials.TransportCredentials.
func (w *callWatch) Clone() transport.TransportCredentials { return w }

// ClientHandshake implements credentials.TransportCredentials.
func (w *callWatch) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, transport.AuthInfo, error) {
	secured, info, err := w.TransportCredentials.ClientHandshake(ctx, authority, conn)
	if err != nil {
		w.failed.Store(&err)
	}
	return secured, info, err
}

// HandleRPC implements stats.Handler.
func (w *callWatch) HandleRPC(_ context.Context, s stats.RPCStats) {
	if _, is := s.(*stats.OutHeader); is {
		w.isSent.Store(true)
	}
}

// TagRPC implements stats.Handler.
func (*callWatch) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn implements stats.Handler.
func (*callWatch) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (*callWatch) HandleConn(context.Context, stats.ConnStats) {}

// verdict is the verdict about an answer.
func (g *grpcGate) verdict(ctx context.Context, a answer) rollout.Verdict {
	v := g.verdictOf(ctx, a)
	v.Detail = fmt.Sprintf("health of %s at %s: %s", g.serviceText(), g.Address, v.Detail)
	return v
}

func (g *grpcGate) serviceText() string {
	if g.Service == "" {
		return "the server"
	}
	return "service " + strconv.Quote(g.Service)
}

func (g *grpcGate) verdictOf(ctx context.Context, a answer) rollout.Verdict {
	switch {
	case a.err != nil && ctx.Err() != nil:
		text, cause := g.mask.noResponse(ctx, ctx.Err(), a.took)
		if !a.isSent {
			text += ", and no connection"
		}
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}
	case a.err != nil && !a.isSent:
		return rollout.Verdict{Status: rollout.Errored, Detail: "the server cannot be reached: " + g.reason(a), Err: rollout.ErrUnreachable}
	case a.err != nil:
		return g.refused(a.err)
	}
	text := fmt.Sprintf("%s in %s", a.health, roundUp(a.took))
	switch a.health {
	case health.HealthCheckResponse_SERVING:
		return rollout.Verdict{Status: rollout.Pass, Detail: text}
	case health.HealthCheckResponse_NOT_SERVING:
		return rollout.Verdict{Status: rollout.Fail, Detail: text + ", expected SERVING"}
	case health.HealthCheckResponse_UNKNOWN:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: text + ": the server has not decided yet"}
	case health.HealthCheckResponse_SERVICE_UNKNOWN:
		return rollout.Verdict{Status: rollout.Errored, Detail: text + ": the server does not know this service; check service", Err: errNoVerdict}
	default:
		return rollout.Verdict{Status: rollout.Errored, Detail: text + ", which is not a status of grpc.health.v1", Err: errNoVerdict}
	}
}

// reason is why a call was not sent.
func (g *grpcGate) reason(a answer) string {
	text := a.err.Message()
	if a.shake != nil {
		text = a.shake.Error()
	}
	return oneLine(g.mask.hide(text))
}

// refused is the verdict about a call that ended with a status other than OK.
func (g *grpcGate) refused(err *status.Status) rollout.Verdict {
	text := codeText(err.Code())
	if message := oneLine(g.mask.hide(err.Message())); message != "" {
		text += " (" + message + ")"
	}
	advice := ""
	switch err.Code() {
	case codes.NotFound:
		advice = "the server does not know this service; check service"
	case codes.Unimplemented:
		advice = "nothing at this address implements grpc.health.v1.Health; register the health service, or check address"
	case codes.Unauthenticated, codes.PermissionDenied:
		advice = "the call is not allowed; check headers and client_cert_file"
	default:
		return rollout.Verdict{Status: rollout.Fail, Detail: text + ", expected SERVING"}
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: text + ": " + advice, Err: errNoVerdict}
}

// codeText is the name of a code in the gRPC documentation, such as NOT_FOUND.
func codeText(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED" // as the specification spells it
	}
	var text strings.Builder
	for i, r := range code.String() {
		if i > 0 && unicode.IsUpper(r) {
			text.WriteByte('_')
		}
		text.WriteRune(unicode.ToUpper(r))
	}
	return text.String()
}
