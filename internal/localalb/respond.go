package localalb

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// answerOwn is an answer that the balancer makes itself, in the form that ALB gives it.
func answerOwn(w http.ResponseWriter, status int) {
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
	_, _ = w.Write([]byte(body)) // a client that is gone needs no answer
}

func answerFixed(w http.ResponseWriter, f fixedConfig) {
	status, err := strconv.Atoi(f.StatusCode)
	if err != nil {
		answerOwn(w, http.StatusServiceUnavailable)
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
	_, _ = w.Write([]byte(body)) // a client that is gone needs no answer
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// redirect fills in the placeholders. The port is the one that the client used, where its Host header says so.
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

// login is a login action, of either kind.
type login struct {
	cookie, otherwise       string
	endpoint, client, scope string
	extra                   *extraPairs
}

// answerLogin plays the actions before a routing action. No identity provider is asked: a request with the
// session cookie, or for JWT with any bearer token, counts as logged in. The result is the status of the answer,
// 0 for a request that passes unanswered.
func answerLogin(w http.ResponseWriter, r *http.Request, a action) int {
	switch {
	case a.AuthenticateOidcConfig != nil:
		o := a.AuthenticateOidcConfig
		return login{
			cookie: o.SessionCookieName, otherwise: o.OnUnauthenticatedRequest,
			endpoint: o.AuthorizationEndpoint, client: o.ClientID, scope: o.Scope, extra: o.AuthenticationRequestExtraParams,
		}.answer(w, r)
	case a.AuthenticateCognitoConfig != nil:
		o := a.AuthenticateCognitoConfig
		return login{
			cookie: o.SessionCookieName, otherwise: o.OnUnauthenticatedRequest,
			endpoint: "https://" + o.UserPoolDomain + "/oauth2/authorize", client: o.UserPoolClientID, scope: o.Scope, extra: o.AuthenticationRequestExtraParams,
		}.answer(w, r)
	}
	if strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return 0
	}
	answerOwn(w, http.StatusUnauthorized)
	return http.StatusUnauthorized
}

func (l login) answer(w http.ResponseWriter, r *http.Request) int {
	if _, err := r.Cookie(l.cookie + "-0"); err == nil || l.otherwise == "allow" {
		return 0
	}
	if l.otherwise == "deny" {
		answerOwn(w, http.StatusUnauthorized)
		return http.StatusUnauthorized
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", l.url(r.Host))
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

// url is where a client is sent to log in and come back from.
func (l login) url(host string) string {
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
