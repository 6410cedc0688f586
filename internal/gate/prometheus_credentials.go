package gate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// prometheusService is the name of Amazon Managed Service for Prometheus in signatures.
const prometheusService = "aps"

// workspaceHost is the host of a workspace, with its region.
var workspaceHost = regexp.MustCompile(`^aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)$`)

func (c Prometheus) token() secret {
	return secret{argument: "bearer_token_env", variable: c.BearerTokenEnv, valid: checkValue}
}

func (b BasicAuth) password() secret {
	return secret{argument: "password_env", variable: b.PasswordEnv}
}

// check returns what is wrong with the block.
func (b BasicAuth) check() []*ArgumentError {
	var errs []*ArgumentError
	if b.Username == "" || strings.ContainsAny(b.Username, ":\r\n") {
		errs = append(errs, invalid("username", "it must be a name without colon and line break"))
	}
	if b.PasswordEnv == "" {
		errs = append(errs, &ArgumentError{Argument: "password_env", Err: ErrMissing})
	}
	return inBlock("basic_auth", append(errs, b.password().check()...))
}

// inBlock adds the only block of a name to errors.
func inBlock(name string, errs []*ArgumentError) []*ArgumentError {
	for _, err := range errs {
		err.Block = name
	}
	return errs
}

// checkCredentials checks the arguments that authenticate. More than one would mean that one is
// ignored silently.
func (c Prometheus) checkCredentials() []*ArgumentError {
	errs := c.token().check()
	var set []*ArgumentError // the arguments that set Authorization; their Err is nil
	if u, err := url.Parse(c.URL); err == nil && u.User != nil {
		set = append(set, &ArgumentError{Argument: "url"})
	}
	headers := c.setBy("Authorization")
	for _, argument := range headers[:min(len(headers), 1)] { // in both maps, it is reported as a header that is set twice
		set = append(set, &ArgumentError{Argument: argument})
	}
	if c.BearerTokenEnv != "" {
		set = append(set, &ArgumentError{Argument: "bearer_token_env"})
	}
	if c.BasicAuth != nil {
		errs = append(errs, c.BasicAuth.check()...)
		set = append(set, &ArgumentError{Block: "basic_auth", Argument: "username"})
	}
	if c.SigV4 != nil {
		errs = append(errs, c.SigV4.check(c.URL)...)
		set = append(set, &ArgumentError{Block: "sigv4", Argument: "region"})
	}
	if len(set) > 1 {
		last := set[len(set)-1]
		last.Err = fmt.Errorf("%w: Authorization is already set by %s", ErrInvalid, cmp.Or(set[0].Block, set[0].Argument))
		errs = append(errs, last)
	}
	return errs
}

// authorization returns the header that the arguments of the credentials set; empty: none.
func (c Prometheus) authorization(lookup Lookup) (string, []*ArgumentError) {
	token, errs := c.token().read(lookup)
	if token != "" {
		return "Bearer " + token, errs
	}
	if c.BasicAuth == nil {
		return "", errs
	}
	password, unset := c.BasicAuth.password().read(lookup)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.BasicAuth.Username+":"+password)), append(errs, inBlock("basic_auth", unset)...)
}

// check returns what is wrong with the block: a signature for another region than that of the
// workspace is refused.
func (s SigV4) check(address string) []*ArgumentError {
	errs := checkRegion(s.Region)
	u, err := url.Parse(address)
	if err != nil {
		return inBlock("sigv4", errs)
	}
	if found := workspaceHost.FindStringSubmatch(u.Hostname()); found != nil && s.Region != "" && found[1] != s.Region {
		errs = append(errs, invalid("region", "the workspace of url is in %s", found[1]))
	}
	return inBlock("sigv4", errs)
}

// regionFor returns the region of the signatures.
func (s SigV4) regionFor(address, fallback string) string {
	if s.Region != "" {
		return s.Region
	}
	if u, err := url.Parse(address); err == nil {
		if found := workspaceHost.FindStringSubmatch(u.Hostname()); found != nil {
			return found[1]
		}
	}
	return fallback
}

// NeedsRegion reports whether requests are signed for a region that neither the block nor the URL names.
func (c Prometheus) NeedsRegion() bool { return c.SigV4 != nil && c.SigV4.regionFor(c.URL, "") == "" }

// signer signs requests, which have all other headers by then.
type signer struct {
	http.RoundTripper
	credentials aws.CredentialsProvider
	region      string
	v4          *v4.Signer
}

// errNoAWS is the cause without AWS credentials; the text of the SDK is in the verdict.
var errNoAWS = errors.New("AWS credentials are not available")

// sign returns a transport that signs requests.
func (c Prometheus) sign(next http.RoundTripper, deps Dependencies) (http.RoundTripper, error) {
	region := c.SigV4.regionFor(c.URL, deps.Region)
	if region == "" {
		return nil, joinErrors(inBlock("sigv4", []*ArgumentError{{Argument: "region", Err: ErrMissing}}))
	}
	if deps.AWSCredentials == nil {
		return nil, errNoAWS
	}
	credentials, err := deps.AWSCredentials(region)
	if err != nil {
		return nil, err
	}
	return signer{next, credentials, region, v4.NewSigner()}, nil
}

// RoundTrip implements http.RoundTripper. The request is that of the caller alone.
func (s signer) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	credentials, err := s.credentials.Retrieve(req.Context())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoAWS, err)
	}
	sum := sha256.Sum256(body)
	if err := s.v4.SignHTTP(req.Context(), credentials, req, hex.EncodeToString(sum[:]), prometheusService, s.region, time.Now()); err != nil {
		return nil, err
	}
	res, err := s.RoundTripper.RoundTrip(req)
	if err == nil && res.StatusCode >= 400 && credentials.SessionToken != "" {
		res.Body = s.withoutToken(res.Body, credentials.SessionToken)
	}
	return res, err
}

// withoutToken masks the session token, which AWS repeats where it explains why a signature is wrong.
func (signer) withoutToken(body io.ReadCloser, token string) io.ReadCloser {
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(io.LimitReader(body, maxBodyBytes))
	text = bytes.ReplaceAll(text, []byte(token), []byte("***"))
	if err != nil {
		text = nil // what broke off may end within the token
	}
	return io.NopCloser(bytes.NewReader(text))
}
