package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// unboundConfig is the configuration of a caching resolver: a folder and a port. stubZone is its part about a domain and the address
// of its name server.
const unboundConfig = `server:
  directory: %q
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@%s
  do-ip6: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "iterator"
  prefetch: no
  serve-expired: no
  local-zone: "localhost." nodefault
remote-control:
  control-enable: no
`

const stubZone = `stub-zone:
  name: %q
  stub-addr: %s@%s
`

// ErrNoResolver says that unbound is not installed.
var ErrNoResolver = errors.New("unbound is not installed (Debian: apt-get install unbound)")

// CachingResolver is a running unbound.
type CachingResolver struct {
	Address string // "127.0.0.1:5353"

	command *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
}

// StartCachingResolver starts unbound, which asks a name server for domains and answers from its cache until the TTL is over.
// The folder must exist until it is closed. The error is ErrNoResolver where unbound is not installed.
func StartCachingResolver(ctx context.Context, folder, nameserver string, domains ...string) (*CachingResolver, error) {
	program, err := exec.LookPath("unbound")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/unbound")
	}
	if err != nil {
		return nil, ErrNoResolver
	}
	zones, err := stubZones(nameserver, domains)
	if err != nil {
		return nil, err
	}
	// The port is not reserved until unbound listens: another process may take it.
	for range 5 {
		var r *CachingResolver
		if r, err = startUnbound(ctx, program, folder, zones); err == nil {
			return r, nil
		}
	}
	return nil, err
}

// stubZones returns the part of the configuration about domains.
func stubZones(nameserver string, domains []string) (string, error) {
	host, port, err := net.SplitHostPort(nameserver)
	text := ""
	for _, domain := range domains {
		text += fmt.Sprintf(stubZone, domain+".", host, port)
	}
	return text, err
}

// startUnbound starts a resolver and waits until it listens.
func startUnbound(ctx context.Context, program, folder, zones string) (*CachingResolver, error) {
	r := &CachingResolver{ended: make(chan struct{})}
	var err error
	if r.Address, err = freeAddress(); err != nil {
		return nil, err
	}
	_, own, err := net.SplitHostPort(r.Address)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "unbound.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, unboundConfig+"%s", folder, own, zones), 0o600); err != nil {
		return nil, err
	}
	r.command = exec.Command(program, "-d", "-p", "-c", path)
	r.command.Stdout, r.command.Stderr = &r.output, &r.output
	if err := r.command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start unbound: %w", err)
	}
	go func() {
		_ = r.command.Wait() // it ends by the signal of Close
		close(r.ended)
	}()
	if err := r.listens(ctx); err != nil {
		return nil, errors.Join(err, errors.New(r.Close()))
	}
	return r, nil
}

var errResolverEnded = errors.New("unbound ended")

// listens waits until the resolver accepts connections.
func (r *CachingResolver) listens(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ended:
			return errResolverEnded
		case <-tick.C:
		}
		if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.Address); err == nil {
			return conn.Close()
		}
	}
}

// Close ends the resolver and returns what it printed.
func (r *CachingResolver) Close() string {
	_ = r.command.Process.Kill()
	<-r.ended
	return r.output.String()
}

// freeAddress returns a loopback address on which nothing listened a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// ResolverAt returns Go's resolver with another name server than that of this machine.
func ResolverAt(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
}
