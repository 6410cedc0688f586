//go:build linux

package kube

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

const gatewayClass = "traefik"

// tcpListeners is how many tests can have a TCPRoute: of one listener, it gets all connections.
const tcpListeners = 2

// tcpListener names a listener, and the entry point of Traefik that is for it.
func tcpListener(i int) string { return fmt.Sprint("tcp", i) }

// gateway is the Gateway of all tests. The addresses are those of Traefik: the first one is for HTTP, the others are for
// TCP.
func gateway(addresses []string) (object, error) {
	listeners := []any{}
	for i, address := range addresses {
		_, text, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, err
		}
		listener := object{"name": "web", "protocol": "HTTP", "port": port, "allowedRoutes": object{"namespaces": object{"from": "All"}}}
		if i > 0 {
			listener["name"], listener["protocol"] = tcpListener(i-1), "TCP"
		}
		listeners = append(listeners, listener)
	}
	return object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": object{"namespace": "default", "name": "edge"},
		"spec": object{"gatewayClassName": gatewayClass, "listeners": listeners}}, nil
}

// edge is Traefik.
type edge struct {
	once      sync.Once
	addresses []string // for users: HTTP, then TCP
	err       error
}

// users returns the address of Traefik for HTTP.
func (c *cluster) users(t *testing.T) string {
	t.Helper()
	return c.addresses(t)[0]
}

// addresses returns the addresses of Traefik, which the first test that needs it starts.
func (c *cluster) addresses(t *testing.T) []string {
	t.Helper()
	c.edge.once.Do(func() {
		c.edge.addresses, c.edge.err = freeAddresses(1 + tcpListeners)
		if c.edge.err == nil {
			c.edge.err = c.startTraefik(context.WithoutCancel(t.Context()), c.edge.addresses)
		}
	})
	must(t, c.edge.err)
	return c.edge.addresses
}

// startTraefik starts Traefik on some addresses, with a Gateway.
func (c *cluster) startTraefik(ctx context.Context, addresses []string) error {
	edge, err := gateway(addresses)
	if err != nil {
		return err
	}
	address := addresses[0]
	class := object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": object{"name": gatewayClass},
		"spec": object{"controllerName": "traefik.io/gateway-controller"}}
	for _, o := range []object{class, edge} {
		if err := c.createIn(ctx, o); err != nil {
			return err
		}
	}
	args := []string{"--entrypoints.web.address=" + address, "--ping=true", "--ping.entrypoint=web", "--metrics.prometheus=true", "--metrics.prometheus.entrypoint=web",
		"--providers.kubernetesgateway.endpoint=" + c.url, "--providers.kubernetesgateway.token=" + adminToken,
		"--providers.kubernetesgateway.certauthfilepath=" + filepath.Join(c.dir, "tls.crt"), "--providers.kubernetesgateway.nativelbbydefault=true",
		"--providers.kubernetesgateway.experimentalchannel=true", // which has TCPRoute
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO", "--log.nocolor=true"}
	for i, address := range addresses[1:] {
		args = append(args, "--entrypoints."+tcpListener(i)+".address="+address)
	}
	traefik, err := c.start(filepath.Join(c.parts, "traefik"), args...)
	if err != nil {
		return err
	}
	return traefik.until("answers", func() bool { return answers(ctx, http.DefaultClient, "http://"+address+"/ping", "OK") })
}
