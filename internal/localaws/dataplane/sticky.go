package dataplane

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	groupCookie  = "AWSALBTG"
	targetCookie = "AWSALB"
)

// stickyCookies returns the cookie that binds a client to a group or target and its copy for cross-origin requests
// (CORS), none if ttl is 0. As with ALB, every response renews them.
func stickyCookies(r *http.Request, name, value string, ttl time.Duration) []*http.Cookie {
	if ttl == 0 {
		return nil
	}
	expires := time.Now().Add(ttl)
	text := base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(expires.UnixMilli(), 10) + " " + value))
	plain := &http.Cookie{Name: name, Value: text, Path: "/", Expires: expires}
	cors := *plain
	cors.Name += "CORS"
	cors.SameSite = http.SameSiteNoneMode
	cors.Secure = r.TLS != nil
	return []*http.Cookie{plain, &cors}
}

// readCookie returns the value of the cookie or of its CORS copy, and false if there is none or it has expired.
func readCookie(r *http.Request, name string) (string, bool) {
	for _, n := range []string{name, name + "CORS"} {
		c, err := r.Cookie(n)
		if err != nil {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(c.Value)
		if err != nil {
			continue
		}
		expires, value, ok := strings.Cut(string(raw), " ")
		milliseconds, err := strconv.ParseInt(expires, 10, 64)
		if ok && err == nil && time.Now().Before(time.UnixMilli(milliseconds)) {
			return value, true
		}
	}
	return "", false
}
