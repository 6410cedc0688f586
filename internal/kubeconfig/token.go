package kubeconfig

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"
)

// eksLifetime is how long the API server of Amazon EKS accepts a token after it was signed.
const eksLifetime = 15 * time.Minute

// Expiry returns when a bearer token expires, as far as it says so: a JSON Web Token, such as that of a service
// account or of OpenID Connect, and a token of Amazon EKS. It does not verify the token.
func Expiry(token string) (time.Time, bool) {
	if signed, is := strings.CutPrefix(token, "k8s-aws-v1."); is {
		return eksExpiry(signed)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if err := json.Unmarshal(data, &claims); err != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(claims.Exp), 0), true
}

// eksExpiry reads the time of the signature in a presigned URL.
func eksExpiry(signed string) (time.Time, bool) {
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(signed, "="))
	if err != nil {
		return time.Time{}, false
	}
	parsed, err := url.Parse(string(data))
	if err != nil {
		return time.Time{}, false
	}
	at, err := time.Parse("20060102T150405Z", parsed.Query().Get("X-Amz-Date"))
	return at.Add(eksLifetime), err == nil
}
