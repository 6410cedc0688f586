package dataplane

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
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

func (f FixedResponse) write(w http.ResponseWriter) {
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", f.ContentType+"; charset=utf-8")
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body)) // the client may have disconnected
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// write replaces the placeholders. #{port} is the port in the Host header, or else the listener's.
func (c Redirect) write(w http.ResponseWriter, r *http.Request, listenerPort string) {
	host, port := splitHost(r.Host)
	fill := strings.NewReplacer(
		"#{protocol}", schemeOf(r), "#{host}", host, "#{port}", cmp.Or(port, listenerPort),
		"#{path}", strings.TrimPrefix(r.URL.EscapedPath(), "/"), "#{query}", r.URL.RawQuery,
	).Replace
	target := strings.ToLower(fill(c.Protocol)) + "://" + fill(c.Host) + ":" + fill(c.Port) + fill(c.Path)
	if query := fill(c.Query); query != "" {
		target += "?" + query
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", target)
	w.WriteHeader(c.Status)
}

// authenticate executes the action without an identity provider: a request with the session cookie, or any bearer
// token, counts as authenticated. It returns the status of the response, 0 for a request that may continue.
func (l Login) authenticate(w http.ResponseWriter, r *http.Request) int {
	if l.passes(r) {
		return 0
	}
	if l.Bearer || l.OnUnauthenticated == "deny" {
		writeErrorPage(w, http.StatusUnauthorized)
		return http.StatusUnauthorized
	}
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Location", l.loginURL(r.Host))
	w.WriteHeader(http.StatusFound)
	return http.StatusFound
}

func (l Login) passes(r *http.Request) bool {
	if l.Bearer {
		return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	_, err := r.Cookie(l.Cookie + "-0")
	return err == nil || l.OnUnauthenticated == "allow"
}

// loginURL returns the URL of the login page, with the client's return address.
func (l Login) loginURL(host string) string {
	q := url.Values{
		"client_id": {l.Client}, "response_type": {"code"}, "scope": {l.Scope}, "state": {randomHex(8)},
		"redirect_uri": {"https://" + host + "/oauth2/idpresponse"},
	}
	for key, value := range l.Extra {
		q.Set(key, value)
	}
	return l.Endpoint + "?" + q.Encode()
}

// randomHex returns a random ID of n bytes in hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never returns an error
	return hex.EncodeToString(b)
}
