package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/placeholder"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/signature"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// userAgent is the default User-Agent. Some firewalls reject that of Go.
const userAgent = "terraform-provider-bluegreen"

var (
	tokenPattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	valuePattern = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)
)

// Request is the arguments that all kinds which call an HTTP server have.
type Request struct {
	URL        string            // http or https; required
	Headers    map[string]string // "Host" replaces the host of the URL
	HeadersEnv map[string]string // environment variable with the value, by header
	Connection
}

// fill fills in the placeholders of the URL and the headers.
func (c Request) fill(f fill) Request {
	c.URL = f(ArgumentError{Argument: "url"}, c.URL, placeholder.InURL)
	c.Headers = f.fillMap("headers", c.Headers)
	return c
}

// Check returns everything that is wrong with the arguments, without reading the
// environment or files.
func (c Request) Check() []*ArgumentError {
	errs := slices.Concat(checkURL("url", c.URL), c.checkHeaders(), c.Connection.Check())
	if u, err := url.Parse(c.URL); err == nil && u.Scheme == "http" {
		errs = append(errs, c.withoutTLS("an http URL has no TLS")...)
	}
	return errs
}

func (c Request) checkHeaders() []*ArgumentError {
	var errs []*ArgumentError
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		err := checkHeader(name, seen)
		if err == nil {
			err = checkValue(c.Headers[name])
		}
		if err != nil {
			errs = append(errs, &ArgumentError{Argument: "headers", Key: name, Err: err})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.HeadersEnv)) {
		if err := checkHeader(name, seen); err != nil {
			errs = append(errs, &ArgumentError{Argument: "headers_env", Key: name, Err: err})
			continue
		}
		errs = append(errs, c.secretOf(name).check()...)
	}
	return errs
}

// checkHeader checks the name of a header. Seen are the names so far.
func checkHeader(name string, seen map[string]bool) error {
	if !tokenPattern.MatchString(name) {
		return fmt.Errorf("%w: it is not a header name", ErrInvalid)
	}
	canonical := http.CanonicalHeaderKey(name)
	if seen[canonical] {
		return fmt.Errorf("%w: the header is set twice", ErrInvalid)
	}
	seen[canonical] = true
	return nil
}

func checkValue(text string) error {
	if !valuePattern.MatchString(text) {
		return fmt.Errorf("%w: it contains a line break or another control character", ErrInvalid)
	}
	return nil
}

// setBy returns the arguments that set a header.
func (c Request) setBy(canonical string) []string {
	has := func(all map[string]string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(name string) bool {
			return http.CanonicalHeaderKey(name) == canonical
		})
	}
	var arguments []string
	if has(c.Headers) {
		arguments = append(arguments, "headers")
	}
	if has(c.HeadersEnv) {
		arguments = append(arguments, "headers_env")
	}
	return arguments
}

func (c Request) secretOf(header string) secret {
	return secret{argument: "headers_env", key: header, variable: c.HeadersEnv[header], valid: checkValue}
}

// read returns the headers to send.
func (c Request) read(lookup Lookup) (http.Header, []*ArgumentError) {
	all := http.Header{"User-Agent": {userAgent}}
	for name, text := range c.Headers {
		all.Set(name, text)
	}
	var errs []*ArgumentError
	for _, name := range slices.Sorted(maps.Keys(c.HeadersEnv)) {
		text, unset := c.secretOf(name).read(lookup)
		errs = append(errs, unset...)
		all.Set(name, text)
	}
	return all, errs
}

// newMask returns a mask for the headers that are sent, the password in the URL, and further
// secrets.
func (c Request) newMask(sent http.Header, secrets ...string) mask {
	return newMask(sent, append(credentials(c.URL), secrets...)...)
}

// addHeaders adds the headers to a request.
func addHeaders(req *http.Request, sent http.Header) {
	maps.Copy(req.Header, sent)
	if host := sent.Get("Host"); host != "" {
		req.Host = host
	}
}

// newClient returns a client that keeps no connection open between requests and
// follows no redirect, which would send the headers to another host. It uses the
// proxies of the environment. A nil configuration trusts the system certificates.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true,
			TLSClientConfig:   config,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// displayHost returns the scheme and host of a URL, for URLs whose path may be a
// secret.
func displayHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// redirectTarget returns the target of a redirect without the parts that may be a
// secret; empty if the response has none.
func redirectTarget(res *http.Response) string {
	to, err := res.Location()
	if err != nil {
		return ""
	}
	return displayURL(to.String())
}

// credentials returns the password in a URL, as it is written and as it is sent.
func credentials(text string) []string {
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return nil
	}
	password, _ := u.User.Password()
	return []string{password, base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))}
}

// reachPause is the pause between two attempts to connect: a name or a listener that was just
// created may need a few seconds.
const reachPause = time.Second

// reach connects to the server of a request as its client does, with the proxy of the
// environment, and verifies the certificate. It sends no request. It tries again until ctx
// ends, unless the server answers in a way that does not change. The error is that of the last
// attempt which ctx did not cut off, if there is one.
func reach(ctx context.Context, client *http.Client, req *http.Request) error {
	var last error
	for {
		err := connect(ctx, client, req)
		if err == nil || isSettled(err) {
			return err
		}
		if last != nil && ctx.Err() != nil {
			return last
		}
		last = err
		timer := time.NewTimer(reachPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// isSettled reports whether other attempts would end in the same way.
func isSettled(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	return untrusted || plain
}

// connect closes the connection as soon as the transport has it, which is before the transport
// writes the request.
func connect(ctx context.Context, client *http.Client, req *http.Request) error {
	shared, ok := client.Transport.(*http.Transport)
	if !ok {
		return fmt.Errorf("the transport is a %T", client.Transport)
	}
	transport := shared.Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true) // HTTP/2 has a preface of its own
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	connected := false
	res, err := transport.RoundTrip(req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			connected = true
			_ = info.Conn.Close()
			cancel()
		},
	})))
	if res != nil {
		_ = res.Body.Close()
	}
	if connected {
		return nil
	}
	return err
}

// reachVerdict is the verdict of a preflight that only connects.
func (m mask) reachVerdict(ctx context.Context, client *http.Client, req *http.Request, err error) rollout.Verdict {
	if err == nil {
		err = reach(ctx, client, req)
	}
	switch {
	case err == nil:
		return rollout.Verdict{Status: rollout.Pass, Detail: "the server can be reached"}
	case errors.Is(ctx.Err(), context.Canceled):
		return rollout.Verdict{Status: rollout.Errored, Detail: "no connection (evaluation canceled)", Err: ctx.Err()}
	}
	if urlErr, ok := errors.AsType[*url.Error](err); ok { // repeats the URL
		err = urlErr.Err
	}
	text := oneLine(m.hide(err.Error()))
	if errors.Is(err, context.DeadlineExceeded) {
		text = "no connection within the timeout of the gate"
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: "the server cannot be reached: " + text, Err: rollout.ErrUnreachable}
}

// Poster sends signed POST requests, for gates and for notifications. No text of it contains a
// secret. Its methods are safe for concurrent use.
type Poster struct {
	url    string
	client *http.Client
	sent   http.Header
	keys   signature.Keys
	mask   mask
}

// NewPoster returns a poster for the arguments of a webhook, whose codes it does not use. It keeps
// no connection open. Hidden are texts to mask beside its secrets. Wrong arguments are returned as
// joined *ArgumentError.
func NewPoster(c Webhook, lookup Lookup, hidden ...string) (*Poster, error) {
	sent, unset := c.read(lookup)
	keys, secrets, keysUnset := c.readKeys(lookup)
	config, unread := c.config()
	if errs := slices.Concat(c.check(), unset, keysUnset, unread); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	return &Poster{url: c.URL, client: newClient(config), sent: sent, keys: keys, mask: c.newMask(sent, slices.Concat(secrets, hidden)...)}, nil
}

// Message is what a Poster sends. ID is the same in every attempt.
type Message struct {
	ID, ContentType string
	Body            []byte
}

func (p *Poster) newRequest(ctx context.Context, m Message, now time.Time) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(m.Body))
	if err != nil {
		return nil, err
	}
	addHeaders(req, p.sent)
	req.Header.Set("Content-Type", m.ContentType)
	req.Header.Set(IdempotencyHeader, m.ID)
	p.keys.Sign(req.Header, m.ID, now, m.Body)
	return req, nil
}

// message returns the beginning of the response body on one line, as far as it arrives before
// messageTimeout, as the last sentence of a text; empty: there is none.
func (p *Poster) message(res *http.Response) string {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxMessageBytes))
	if line := oneLine(p.mask.hide(string(text))); line != "" {
		return ". Response: " + line
	}
	return ""
}

// Posted is what became of a message.
type Posted struct {
	Accepted bool // by a status from 200 to 299
	// Again reports that another attempt may succeed, RetryAfter from now, if the server says so.
	Again      bool
	RetryAfter time.Duration
	Detail     string // such as "POST https://hooks.example.com: status 404 in 20ms. Response: no_service"
}

// Post sends a message once. It returns soon after ctx ends.
func (p *Poster) Post(ctx context.Context, m Message) Posted {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start, to := time.Now(), "POST "+displayHost(p.url)+": "
	req, err := p.newRequest(ctx, m, start)
	if err != nil {
		return Posted{Detail: to + "the request could not be made"} // the error repeats the URL
	}
	res, err := p.client.Do(req)
	took := roundUp(time.Since(start))
	switch {
	case err != nil && ctx.Err() != nil:
		return Posted{Again: true, Detail: fmt.Sprintf("%sno response after %s", to, took)}
	case err != nil:
		text, _ := p.mask.noResponse(ctx, err, took)
		return Posted{Again: true, Detail: to + text}
	}
	defer func() { _ = res.Body.Close() }()
	x := Posted{Accepted: res.StatusCode >= 200 && res.StatusCode <= 299, Detail: fmt.Sprintf("%sstatus %d in %s", to, res.StatusCode, took)}
	if x.Accepted {
		return x
	}
	if target, err := res.Location(); err == nil && res.StatusCode < 400 {
		x.Detail += " to " + displayHost(target.String()) + " (redirects are not followed)"
	}
	x.Again = cannotDecide(res.StatusCode) && res.StatusCode != http.StatusConflict || res.StatusCode == http.StatusInternalServerError
	x.RetryAfter = retryAfter(res, start)
	defer time.AfterFunc(messageTimeout, cancel).Stop()
	x.Detail += p.message(res)
	return x
}
