package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// unboundConfig is the configuration of a caching resolver: a folder, a port, and the address of the name server of
// example.com.
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
remote-control:
  control-enable: no
stub-zone:
  name: "example.com."
  stub-addr: %s@%s
`

// CachingResolver starts unbound, which asks a name server for example.com, and returns its address. Where unbound is not
// installed it returns the address of the name server, which caches nothing.
func CachingResolver(t *testing.T, nameserver string) (address string, caches bool) {
	t.Helper()
	program, err := exec.LookPath("unbound")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/unbound")
	}
	if err != nil {
		t.Log("unbound is not installed (Debian: apt-get install unbound): every request resolves without a cache")
		return nameserver, false
	}
	// Its port is not reserved until it listens: another process may take it.
	for range 5 {
		address := freeAddress(t)
		if startUnbound(t, program, address, nameserver) {
			return address, true
		}
	}
	t.Fatal("unbound did not start")
	return "", false
}

// startUnbound starts a resolver and waits until it answers; false: it ended.
func startUnbound(t *testing.T, program, address, nameserver string) bool {
	t.Helper()
	host, port, _ := net.SplitHostPort(nameserver)
	_, own, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	path := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, unboundConfig, dir, own, host, port), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "-d", "-p", "-c", path)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it ends by the signal of the cleanup
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("unbound: %s", output.String())
		}
	})
	up := false
	eventually(t, "unbound answers", func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		client := &dns.Client{Net: "tcp", Timeout: slow.Deadline(5 * time.Second)}
		reply, _, err := client.Exchange(new(dns.Msg).SetQuestion("example.com.", dns.TypeSOA), address)
		up = err == nil && reply.Rcode == dns.RcodeSuccess
		return up
	})
	return up
}

// freeAddress returns a loopback address on which nothing listened a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return address
}

// resolverAt returns Go's resolver with a name server.
func resolverAt(address string) *net.Resolver {
	dialer := &net.Dialer{Timeout: hangTimeout()}
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}}
}
