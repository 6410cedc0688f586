package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// errNoResponse is the cause if a request got no response. The network error itself
// is in the verdict's text, where secrets are masked.
var errNoResponse = errors.New("no response was received")

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

// noResponse describes why a request got no response and returns the cause. Only the
// text contains the error itself, with secrets masked.
func (m mask) noResponse(ctx context.Context, err error, took time.Duration) (string, error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Sprintf("no response after %s (evaluation canceled)", roundUp(took)), ctx.Err()
	case ctx.Err() != nil:
		return fmt.Sprintf("no response after %s (gate timeout)", roundUp(took)), ctx.Err()
	}
	// The client's error repeats the URL, which may hold a token.
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	return "no response: " + oneLine(m.hide(err.Error())), errNoResponse
}
