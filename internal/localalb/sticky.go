package localalb

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

// stickyCookies is the cookies that bind a client to a group, none where the action is not sticky. As with
// ALB every answer sets them anew.
func stickyCookies(r *http.Request, s stickiness, groupARN string) []*http.Cookie {
	if !s.Enabled || s.DurationSeconds == nil {
		return nil
	}
	return cookiePair(r, groupCookie, groupARN, time.Duration(*s.DurationSeconds)*time.Second)
}

// cookiePair is a cookie and its twin for requests from other sites, which browsers treat differently.
func cookiePair(r *http.Request, name, value string, lasting time.Duration) []*http.Cookie {
	end := time.Now().Add(lasting)
	text := base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(end.UnixMilli(), 10) + " " + value))
	plain := &http.Cookie{Name: name, Value: text, Path: "/", Expires: end}
	twin := *plain
	twin.Name += "CORS"
	twin.SameSite = http.SameSiteNoneMode
	twin.Secure = r.TLS != nil
	return []*http.Cookie{plain, &twin}
}

// readCookie is what the cookie, or its twin, was set to; false where there is none or its time is over.
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
		end, value, ok := strings.Cut(string(raw), " ")
		milliseconds, err := strconv.ParseInt(end, 10, 64)
		if ok && err == nil && time.Now().Before(time.UnixMilli(milliseconds)) {
			return value, true
		}
	}
	return "", false
}
