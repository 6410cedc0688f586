//go:build linux

package kube

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

const gatewayClass = "traefik"

// gateway is the Gateway of all tests.
func gateway(port int) object {
	return object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": object{"namespace": "default", "name": "edge"}, "spec": object{
		"gatewayClassName": gatewayClass,
		"listeners":        []any{object{"name": "web", "protocol": "HTTP", "port": port, "allowedRoutes": object{"namespaces": object{"from": "All"}}}},
	}}
}

// edge is Traefik.
type edge struct {
	once    sync.Once
	address string // for users
	err     error
}

// users returns the address of Traefik, which the first test that needs it starts.
func (c *cluster) users(t *testing.T) string {
	t.Helper()
	c.edge.once.Do(func() {
		free, err := freeAddresses(1)
		if err == nil {
			c.edge.address = free[0]
			err = c.startTraefik(context.WithoutCancel(t.Context()), c.edge.address)
		}
		c.edge.err = err
	})
	must(t, c.edge.err)
	return c.edge.address
}

// startTraefik starts Traefik on an address, with a Gateway.
func (c *cluster) startTraefik(ctx context.Context, address string) error {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	class := object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": object{"name": gatewayClass},
		"spec": object{"controllerName": "traefik.io/gateway-controller"}}
	for _, o := range []object{class, gateway(port)} {
		if err := c.createIn(ctx, o); err != nil {
			return err
		}
	}
	traefik, err := c.start(filepath.Join(c.parts, "traefik"), "--entrypoints.web.address="+address, "--ping=true", "--ping.entrypoint=web",
		"--providers.kubernetesgateway.endpoint="+c.url, "--providers.kubernetesgateway.token="+adminToken,
		"--providers.kubernetesgateway.certauthfilepath="+filepath.Join(c.dir, "tls.crt"), "--providers.kubernetesgateway.nativelbbydefault=true",
		"--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO", "--log.nocolor=true")
	if err != nil {
		return err
	}
	return traefik.until("answers", func() bool { return answers(ctx, http.DefaultClient, "http://"+address+"/ping", "OK") })
}
