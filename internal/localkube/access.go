package localkube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
	"strings"
)

// Rule is a rule of RBAC: it allows verbs on resources. Empty fields allow all.
type Rule struct {
	Verbs      []string
	Groups     []string // API groups; "" is the core group
	Resources  []string // such as "httproutes" or "httproutes/status"
	Names      []string // of objects; requests without a name, such as list, are then refused
	Namespaces []string
}

// user is who a token belongs to.
type user struct {
	name  string
	rules []Rule
}

func (u user) may(q request) bool {
	return slices.ContainsFunc(u.rules, func(r Rule) bool { return r.allows(q) })
}

func (r Rule) allows(q request) bool {
	plural := q.resource.plural
	if q.subresource != "" {
		plural += "/" + q.subresource
	}
	has := func(all []string, value string) bool { return len(all) == 0 || slices.Contains(all, value) }
	return has(r.Verbs, q.verb) && has(r.Groups, q.resource.group) && has(r.Resources, plural) && has(r.Names, q.name) && has(r.Namespaces, q.namespace)
}

// authenticate returns the user of a request; false: it has no certificate, and its token is missing, unknown or
// revoked.
func (s *endpoint) authenticate(r *http.Request) (user, bool) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return newUser(nil), true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	u, ok := s.tokens[token]
	return u, ok
}

// Allow sets the user of a token, in place of what the token was allowed before. Without rules it may do everything.
func (s *Server) Allow(token string, rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = newUser(rules)
}

// ClientCertificate returns a certificate of a user who may do everything, and its key, in PEM. The server needs TLS.
func (s *Server) ClientCertificate() (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca, _ := pem.Decode(s.ca)
	signer, err := x509.ParseCertificate(ca.Bytes)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "release"}, NotBefore: signer.NotBefore, NotAfter: signer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, private.Public(), s.signer)
	if err != nil {
		return nil, nil, err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

// Revoke makes a token invalid, as when it expires.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

func newUser(rules []Rule) user {
	if len(rules) == 0 {
		rules = []Rule{{}}
	}
	return user{name: "system:serviceaccount:ci:release", rules: rules}
}
