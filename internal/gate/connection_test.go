package gate_test

import (
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// overTLS builds the kinds that send HTTP requests.
func overTLS(url string, c gate.Connection) map[string]func() (rollout.Gate, error) {
	deps := gate.Dependencies{Lookup: lookupIn(nil)}
	r := gate.Request{URL: url, Connection: c}
	return map[string]func() (rollout.Gate, error){
		"http":    func() (rollout.Gate, error) { return gate.NewHTTP(gate.HTTP{Request: r}, deps) },
		"webhook": func() (rollout.Gate, error) { return gate.NewWebhook(gate.Webhook{Request: r}, deps) },
		"prometheus": func() (rollout.Gate, error) {
			return gate.NewPrometheus(gate.Prometheus{Request: r, Query: "up", Max: new(5.0)}, deps)
		},
	}
}

// The certificate of the server has another name than its address, and the server requires one of
// the client, which is renewed between two evaluations.
func TestConnection_mutualTLS(t *testing.T) {
	for name := range overTLS("", gate.Connection{}) {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			srv := a.serve(result("scalar", `[1,"1"]`, ""))
			g, err := overTLS(srv.url, a.connection())[name]()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass {
					t.Fatalf("got %+v", v)
				}
				a.issue("client")
			}
			clients := srv.clients()
			if len(clients) != 2 || clients[0].sni != "app.internal" || clients[1].sni != "app.internal" || clients[0].serial == clients[1].serial {
				t.Errorf("the server got %v", clients)
			}
		})
	}
}

// None of what is missing says anything about the release.
func TestConnection_missingParts(t *testing.T) {
	a := newAuthority(t)
	srv := a.serve(result("scalar", `[1,"1"]`, ""))
	whole := a.connection()
	other := newAuthority(t)
	other.issue("client")
	for _, tt := range []struct {
		name   string
		change func(*gate.Connection)
	}{
		{"no CA", func(c *gate.Connection) { c.CAFile = "" }},
		{"another CA", func(c *gate.Connection) { c.CAFile = other.file("ca.pem") }},
		{"no server name", func(c *gate.Connection) { c.ServerName = "" }},
		{"another server name", func(c *gate.Connection) { c.ServerName = "app.example.com" }},
		{"no client certificate", func(c *gate.Connection) { c.ClientCertFile, c.ClientKeyFile = "", "" }},
		{"client certificate of another CA", func(c *gate.Connection) {
			c.ClientCertFile, c.ClientKeyFile = other.file("client.pem"), other.file("client.key")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := whole
			tt.change(&c)
			for name, build := range overTLS(srv.url, c) {
				g, err := build()
				if err != nil {
					t.Fatal(err)
				}
				v := g.Evaluate(t.Context(), canaryInput())
				if v.Status != rollout.Errored {
					t.Errorf("%s: got %+v", name, v)
				}
				if name == "http" {
					golden.Check(t, v.Detail, golden.Replace(srv.url, "<url>"))
				}
			}
		})
	}
	if clients := srv.clients(); len(clients) != 0 {
		t.Errorf("the server got %v", clients)
	}
}

func TestConnection_badArguments(t *testing.T) {
	a := newAuthority(t)
	whole := a.connection()
	a.issue("other")
	a.write("encrypted.key", "ENCRYPTED PRIVATE KEY", []byte("x"))
	a.write("broken.key", "PRIVATE KEY", []byte("x"))
	a.write("broken.pem", "CERTIFICATE", []byte("x"))
	if err := os.WriteFile(a.file("text"), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*gate.Connection){
		func(c *gate.Connection) { c.ClientKeyFile = "" },
		func(c *gate.Connection) { c.ClientCertFile = "" },
		func(c *gate.Connection) { c.ServerName = "app.internal:443" },
		func(c *gate.Connection) { c.ServerName = "127.0.0.1" },
		func(c *gate.Connection) { c.CAFile = a.file("missing.pem") },
		func(c *gate.Connection) { c.CAFile = a.dir },
		func(c *gate.Connection) { c.CAFile = a.file("text") },
		func(c *gate.Connection) { c.CAFile = a.file("client.key") },
		func(c *gate.Connection) { c.CAFile = a.file("broken.pem") },
		func(c *gate.Connection) {
			c.ClientCertFile, c.ClientKeyFile = a.file("missing.pem"), a.file("missing.key")
		},
		func(c *gate.Connection) { c.ClientKeyFile = a.file("other.key") },
		func(c *gate.Connection) { c.ClientKeyFile = a.file("client.pem") },
		func(c *gate.Connection) { c.ClientKeyFile = a.file("encrypted.key") },
		func(c *gate.Connection) { c.ClientKeyFile = a.file("broken.key") },
		func(c *gate.Connection) { c.ClientCertFile = a.file("broken.pem") },
	} {
		c := whole
		change(&c)
		var first string
		for name, build := range overTLS("https://h", c) {
			g, err := build()
			if g != nil || err == nil {
				t.Fatalf("%s accepts %+v", name, c)
			}
			if first == "" {
				first = err.Error()
			}
			if err.Error() != first {
				t.Errorf("%s: %v, others: %s", name, err, first)
			}
		}
		golden.Record(t, first, golden.Replace(a.dir, "<dir>"))
	}
	for _, c := range []gate.HTTP{
		{Request: gate.Request{URL: "http://h", Connection: whole}},
		{Request: gate.Request{URL: "https://h", Connection: gate.Connection{CAFile: a.file("ca.pem")}}, InsecureSkipVerify: true},
	} {
		_, err := gate.NewHTTP(c, gate.Dependencies{})
		golden.Record(t, fmt.Sprint(err))
	}
}

// A client certificate may be followed by its intermediates, and the file may have its key, too.
func TestConnection_filesWithSeveralBlocks(t *testing.T) {
	a := newAuthority(t)
	c := a.connection()
	var whole []byte
	for _, name := range []string{"client.key", "client.pem", "ca.pem"} {
		text, err := os.ReadFile(a.file(name))
		if err != nil {
			t.Fatal(err)
		}
		whole = append(whole, text...)
	}
	if err := os.WriteFile(a.file("whole.pem"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	c.ClientCertFile, c.ClientKeyFile = a.file("whole.pem"), a.file("whole.pem")
	g, err := overTLS(a.serve("").url, c)["http"]()
	if err != nil {
		t.Fatal(err)
	}
	if v := g.Evaluate(t.Context(), canaryInput()); v.Status != rollout.Pass {
		t.Errorf("got %+v", v)
	}
}

// A certificate that disappears during a shift is named, without the key.
func TestConnection_filesDisappear(t *testing.T) {
	a := newAuthority(t)
	g, err := overTLS(a.serve("").url, a.connection())["http"]()
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(a.file("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(a.file("client.pem")); err != nil {
		t.Fatal(err)
	}
	v := g.Evaluate(t.Context(), canaryInput())
	if v.Status != rollout.Errored || !strings.Contains(v.Detail, "client_cert_file") {
		t.Errorf("got %+v", v)
	}
	block, _ := pem.Decode(key)
	wantNoSecret(t, v, string(block.Bytes))
}
