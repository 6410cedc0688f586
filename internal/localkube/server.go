package localkube

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

type options struct {
	tls         bool
	propagation time.Duration
	tokens      map[string]user
	without     map[string]bool     // groups
	versions    map[string][]string // by plural
}

// Option configures a Server.
type Option func(*options)

// WithTLS serves HTTPS with a certificate of the server's own; see Server.CA.
func WithTLS() Option { return func(o *options) { o.tls = true } }

// WithToken accepts a bearer token. Without rules it may do everything.
func WithToken(token string, rules ...Rule) Option {
	return func(o *options) { o.tokens[token] = newUser(rules) }
}

// WithPropagation sets how long after a change of a route its status follows. The default is at once.
func WithPropagation(d time.Duration) Option { return func(o *options) { o.propagation = d } }

// WithoutGroup leaves out the resources of an API group, as in a cluster without its CRDs.
func WithoutGroup(group string) Option { return func(o *options) { o.without[group] = true } }

// WithVersions sets the versions in which a resource is served, the preferred one first, as in a cluster with other
// CRDs.
func WithVersions(plural string, versions ...string) Option {
	return func(o *options) { o.versions[plural] = versions }
}

// Server is a running stand-in.
type Server struct {
	options   options
	resources []resource
	journal   journal
	faults    faultSet
	listener  net.Listener
	http      *http.Server
	ca        []byte
	signer    *ecdsa.PrivateKey // of certificates; nil without TLS
	done      chan struct{}
	tasks     sync.WaitGroup
	close     sync.Once

	mu       sync.Mutex // of all below
	store    store
	tokens   map[string]user
	refusals map[string]Refusal
	observed map[key]int64 // the generation of a route that the controller has seen
	stopped  bool
}

// Start opens a port on loopback and serves. The caller must Close the server.
func Start(opts ...Option) (*Server, error) {
	o := options{tokens: map[string]user{}, without: map[string]bool{}, versions: map[string][]string{}}
	for _, set := range opts {
		set(&o)
	}
	s := &Server{
		options: o, done: make(chan struct{}), store: store{objects: map[key]map[string]any{}}, tokens: o.tokens,
		refusals: map[string]Refusal{}, observed: map[key]int64{},
	}
	for _, r := range resources() {
		if versions := o.versions[r.plural]; versions != nil {
			r.versions = versions
		}
		if !o.without[r.group] {
			s.resources = append(s.resources, r)
		}
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	s.http = &http.Server{Handler: &endpoint{s}, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	serve := s.listener
	if o.tls {
		certificate, err := s.certificate()
		if err != nil {
			return nil, err
		}
		signers := x509.NewCertPool()
		signers.AppendCertsFromPEM(s.ca)
		serve = tls.NewListener(s.listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12,
			ClientCAs: signers, ClientAuth: tls.VerifyClientCertIfGiven})
	}
	s.tasks.Go(func() { _ = s.http.Serve(serve) })
	return s, nil
}

// certificate makes a certificate of its own for loopback.
func (s *Server) certificate() (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localkube"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	s.ca, s.signer = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), private
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

// URL is the address of the API.
func (s *Server) URL() string {
	if s.options.tls {
		return "https://" + s.listener.Addr().String()
	}
	return "http://" + s.listener.Addr().String()
}

// CA is the certificate of the server in PEM; nil without TLS.
func (s *Server) CA() []byte { return s.ca }

// Close stops the server.
func (s *Server) Close() error {
	var err error
	s.close.Do(func() {
		close(s.done)
		err = s.http.Close() // Shutdown waits a second for connections of HTTP/2, also for those that are idle
		s.tasks.Wait()
	})
	return err
}

// Put creates an object, or replaces one with its status, without a request. It panics for what the server does
// not accept, which is a mistake of a test.
func (s *Server) Put(object map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := meta(object)
	for _, r := range s.resources {
		if r.kind != text(object, "kind") {
			continue
		}
		w := write{resource: r, namespace: text(m, "namespace"), name: text(m, "name"), object: object}
		if _, err := s.put(w); err != nil {
			panic("localkube: " + err.Error())
		}
		s.reconcile(w.key())
		return
	}
	panic(fmt.Sprintf("localkube: unknown kind %q", text(object, "kind")))
}

func (s *Server) put(w write) (map[string]any, error) {
	old := s.store.objects[w.key()]
	if old == nil {
		return s.store.create(w, time.Now())
	}
	w.object = copied(w.object)
	w.resource.status = false // both at once
	delete(meta(w.object), "resourceVersion")
	return s.store.update(w, time.Now())
}

// Object returns an object as it is now; nil: there is none. The plural has the group where it has one.
func (s *Server) Object(plural, namespace, name string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if object := s.store.objects[key{plural, namespace, name}]; object != nil {
		return copied(object)
	}
	return nil
}

// Remove deletes an object without a request.
func (s *Server) Remove(plural, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key{plural, namespace, name})
}

// remove deletes an object. The controller has not seen the next one of that name. The caller holds the lock.
func (s *Server) remove(k key) {
	delete(s.store.objects, k)
	delete(s.observed, k)
}
