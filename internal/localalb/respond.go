package localalb

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// writeErrorPage sends an error page in the form of ALB.
func writeErrorPage(w http.ResponseWriter, status int) {
	text := map[int]string{
		http.StatusBadRequest:         "400 Bad Request",
		http.StatusUnauthorized:       "401 Authorization Required",
		http.StatusBadGateway:         "502 Bad Gateway",
		http.StatusServiceUnavailable: "503 Service Temporarily Unavailable",
		http.StatusGatewayTimeout:     "504 Gateway Time-out",
	}[status]
	body := "<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<center><h1>" + text + "</h1></center>\r\n</body>\r\n</html>\r\n"
	header := w.Header()
	header.Set("Server", "awselb/2.0")
	header.Set("Content-Type", "text/html")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have disconnected
}

func writeFixedResponse(w http.ResponseWriter, f fixedConfig) {
	status, err := strconv.Atoi(f.StatusCode)
	if err != nil {
		writeErrorPage(w, http.StatusServiceUnavailable)
		return
	}
	body, kind := "", "text/plain"
	if f.MessageBody != nil {
		body = *f.MessageBody
	}
	if f.ContentType != nil {
		kind = *f.ContentType
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", kind+"; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have disconnected
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// redirect replaces the placeholders. #{port} is the port in the Host header, or else the listener's.
func redirect(w http.ResponseWriter, r *http.Request, c redirectConfig, listenerPort string) {
	host, port := splitHost(r.Host)
	fill := strings.NewReplacer(
		"#{protocol}", schemeOf(r), "#{host}", host, "#{port}", or(port, listenerPort),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery,
	).Replace
	target := strings.ToLower(fill(c.Protocol)) + "://" + fill(c.Host) + ":" + fill(c.Port) + fill(c.Path)
	if query := fill(c.Query); query != "" {
		target += "?" + query
	}
	status := http.StatusFound
	if c.StatusCode == "HTTP_301" {
		status = http.StatusMovedPermanently
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", target)
	w.WriteHeader(status)
}

// authSettings holds the settings that both kinds of authentication actions share.
type authSettings struct {
	cookie, onUnauthenticated string
	endpoint, client, scope   string
	extra                     *extraPairs
}

// authenticate executes an authentication action without an identity provider. A request with the session cookie,
// or for JWT with any bearer token, counts as authenticated. It returns the status of the response, 0 for a
// request that may continue.
func authenticate(w http.ResponseWriter, r *http.Request, a action) int {
	switch {
	case a.AuthenticateOidcConfig != nil:
		o := a.AuthenticateOidcConfig
		return authSettings{
			cookie: o.SessionCookieName, onUnauthenticated: o.OnUnauthenticatedRequest,
			endpoint: o.AuthorizationEndpoint, client: o.ClientID, scope: o.Scope, extra: o.AuthenticationRequestExtraParams,
		}.respond(w, r)
	case a.AuthenticateCognitoConfig != nil:
		o := a.AuthenticateCognitoConfig
		return authSettings{
			cookie: o.SessionCookieName, onUnauthenticated: o.OnUnauthenticatedRequest,
			endpoint: "https://" + o.UserPoolDomain + "/oauth2/authorize", client: o.UserPoolClientID, scope: o.Scope, extra: o.AuthenticationRequestExtraParams,
		}.respond(w, r)
	}
	if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return 0
	}
	writeErrorPage(w, http.StatusUnauthorized)
	return http.StatusUnauthorized
}

func (l authSettings) respond(w http.ResponseWriter, r *http.Request) int {
	if _, err := r.Cookie(l.cookie + "-0"); err == nil || l.onUnauthenticated == "allow" {
		return 0
	}
	if l.onUnauthenticated == "deny" {
		writeErrorPage(w, http.StatusUnauthorized)
		return http.StatusUnauthorized
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", l.loginURL(r.Host))
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

// loginURL returns the URL of the login page, with the client's return address.
func (l authSettings) loginURL(host string) string {
	q := url.Values{
		"client_id": {l.client}, "response_type": {"code"}, "scope": {l.scope}, "state": {newID()},
		"redirect_uri": {"https://" + host + "/oauth2/idpresponse"},
	}
	if l.extra != nil {
		for _, p := range l.extra.Entries {
			q.Set(p.Key, p.Value)
		}
	}
	return l.endpoint + "?" + q.Encode()
}
