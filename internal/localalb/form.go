package localalb

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// The simulated services by their IAM prefixes.
const (
	serviceELB        = "elasticloadbalancing"
	serviceCloudWatch = "cloudwatch"
	serviceSTS        = "sts"
)

// readForm reads parameters from the body and from the URL, as AWS does.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	raw, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(r.URL.RawQuery, string(raw))
	if err != nil {
		return nil, badRequest("MalformedQueryString", "The query string contains a syntax error")
	}
	return form, nil
}

func parseForm(query, body string) (url.Values, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	extra, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	for key, values := range extra {
		if _, both := form[key]; !both {
			form[key] = values
		}
	}
	return form, nil
}

// regionOf returns the region in the credential scope of the signature, or the fallback.
func regionOf(r *http.Request, fallback string) string {
	_, scope, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		return fallback
	}
	scope, _, _ = strings.Cut(scope, ",")
	parts := strings.Split(scope, "/")
	if len(parts) < 5 || parts[len(parts)-3] == "" {
		return fallback
	}
	return parts[len(parts)-3]
}

// requestID returns a random UUID, the form of AWS request IDs.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never returns an error
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
