package gate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
)

// Connection is the arguments about TLS that all kinds which connect to a server have.
type Connection struct {
	// CAFile is a file of PEM certificates, which replace the system certificates;
	// empty: the system certificates are trusted.
	CAFile string
	// ServerName is the name that the server's certificate must have and that is sent
	// as SNI; empty: the host of the address.
	ServerName string
	// ClientCertFile and ClientKeyFile are PEM files with the certificate that is
	// presented, its intermediates after it, and its key, which is not encrypted. Both
	// or none are set. They are read again for each connection, so that a certificate
	// that is renewed during a shift stays valid.
	ClientCertFile, ClientKeyFile string
}

// Check returns everything that is wrong with the arguments, without reading files.
func (c Connection) Check() []*ArgumentError {
	var errs []*ArgumentError
	if c.ServerName != "" && (net.ParseIP(c.ServerName) != nil || strings.ContainsAny(c.ServerName, ":/ \t\n")) {
		errs = append(errs, invalid("server_name", "it must be a host name, without port and scheme"))
	}
	switch {
	case c.ClientCertFile != "" && c.ClientKeyFile == "":
		errs = append(errs, invalid("client_cert_file", "client_key_file is required with it"))
	case c.ClientCertFile == "" && c.ClientKeyFile != "":
		errs = append(errs, invalid("client_key_file", "client_cert_file is required with it"))
	}
	return errs
}

// withoutTLS reports every argument that is set where there is no TLS: it would have no effect.
func (c Connection) withoutTLS(reason string) []*ArgumentError {
	var errs []*ArgumentError
	for _, a := range []struct{ argument, value string }{
		{"ca_file", c.CAFile}, {"server_name", c.ServerName}, {"client_cert_file", c.ClientCertFile}, {"client_key_file", c.ClientKeyFile},
	} {
		if a.value != "" {
			errs = append(errs, invalid(a.argument, "it would have no effect: %s", reason))
		}
	}
	return errs
}

// CheckFiles returns what is wrong with the files on this machine.
func (c Connection) CheckFiles() []*ArgumentError {
	_, errs := c.config()
	return errs
}

// checkSkipVerify reports a combination with insecure_skip_verify that has no effect.
func (c Connection) checkSkipVerify(skips bool) []*ArgumentError {
	if skips && c.CAFile != "" {
		return []*ArgumentError{invalid("ca_file", "it would have no effect: insecure_skip_verify accepts any certificate")}
	}
	return nil
}

// config reads the files.
func (c Connection) config() (*tls.Config, []*ArgumentError) {
	config := &tls.Config{ServerName: c.ServerName}
	var errs []*ArgumentError
	if c.CAFile != "" {
		pool, err := readCAs(c.CAFile)
		if err != nil {
			errs = append(errs, invalid("ca_file", "%w", err))
		}
		config.RootCAs = pool
	}
	if c.ClientCertFile != "" && c.ClientKeyFile != "" {
		errs = append(errs, c.checkPair()...)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.ClientCertFile, c.ClientKeyFile)
			if err != nil {
				return nil, fmt.Errorf("client_cert_file and client_key_file cannot be used: %w", withoutPath(err))
			}
			return &pair, nil
		}
	}
	return config, errs
}

// readCAs reads trusted certificates.
func readCAs(file string) (*x509.CertPool, error) {
	text, err := readPEM(file, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate that can be parsed", file)
	}
	return pool, nil
}

// checkPair reads the client certificate and its key.
func (c Connection) checkPair() []*ArgumentError {
	certificate, certErr := readPEM(c.ClientCertFile, "CERTIFICATE")
	if certErr == nil && !x509.NewCertPool().AppendCertsFromPEM(certificate) {
		certErr = fmt.Errorf("%s has no certificate that can be parsed", c.ClientCertFile)
	}
	key, keyErr := readPEM(c.ClientKeyFile, "PRIVATE KEY")
	var errs []*ArgumentError
	if certErr != nil {
		errs = append(errs, invalid("client_cert_file", "%w", certErr))
	}
	if keyErr != nil {
		errs = append(errs, invalid("client_key_file", "%w", keyErr))
	}
	if len(errs) > 0 {
		return errs
	}
	if _, err := tls.X509KeyPair(certificate, key); err != nil {
		// The text of the error begins with the package; none has a part of the key.
		errs = append(errs, invalid("client_key_file", "it cannot be used with client_cert_file: %s", strings.TrimPrefix(err.Error(), "tls: ")))
	}
	return errs
}

// readPEM reads a file that has a PEM block whose type ends in kind.
func readPEM(file, kind string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", file, withoutPath(err))
	}
	var found []string
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.HasSuffix(block.Type, kind) && block.Type != "ENCRYPTED PRIVATE KEY" {
			return text, nil
		}
		found = append(found, block.Type)
	}
	if found == nil {
		return nil, fmt.Errorf("%s is not a PEM file", file)
	}
	slices.Sort(found)
	return nil, fmt.Errorf("%s has no PEM block %s, only %s", file, kind, strings.Join(slices.Compact(found), " and "))
}

// withoutPath returns the cause of an error that repeats the path of a file.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
