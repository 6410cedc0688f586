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

// errNoResponse is the cause where a request got no answer. What the network
// said is in the verdict's text, where secrets are masked.
var errNoResponse = errors.New("there was no answer")

// newClient returns a client that holds nothing open between two requests and
// follows no redirect: that would carry what is sent to another host. It goes by
// the proxies of the environment. Nil trusts as the machine does.
func newClient(trusted *tls.Config) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			DisableKeepAlives: true,
			TLSClientConfig:   trusted,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// displayHost leaves out all of a URL that may be a secret where its path is one.
func displayHost(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the URL"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// redirectTarget is where a redirect leads, without what may be a secret in it; empty
// where the answer does not say.
func redirectTarget(res *http.Response) string {
	to, err := res.Location()
	if err != nil {
		return ""
	}
	return displayURL(to.String())
}

// noResponse words why a request got no answer, and returns the cause. Only
// these words tell of the error itself, since it may repeat a secret.
func (m mask) noResponse(ctx context.Context, err error, took time.Duration) (string, error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Sprintf("no answer after %s, when nobody waited for it any more", roundUp(took)), ctx.Err()
	case ctx.Err() != nil:
		return fmt.Sprintf("no answer after %s, when the gate's timeout was over", roundUp(took)), ctx.Err()
	}
	// The client's error repeats the URL, which may hold a token.
	if whole, ok := errors.AsType[*url.Error](err); ok {
		err = whole.Err
	}
	return "no answer: " + oneLine(m.hide(err.Error())), errNoResponse
}
