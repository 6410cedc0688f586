package wire

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The services by their IAM prefixes.
const (
	ELB        = "elasticloadbalancing"
	CloudWatch = "cloudwatch"
	STS        = "sts"
	Route53    = "route53"
)

// ReadBody reads a body and decompresses it if needed: the SDKs compress large PutMetricData requests.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	return ReadBodyUpTo(w, r, maxBytes)
}

// ReadBodyUpTo is ReadBody with another limit, which also applies after decompression.
func ReadBodyUpTo(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return nil, BadRequest("SerializationException", "The body is not in the gzip format that its header promises: %v", err)
		}
		body = unpacked
	}
	raw, err := io.ReadAll(io.LimitReader(body, limit+1))
	if _, large := errors.AsType[*http.MaxBytesError](err); large || int64(len(raw)) > limit {
		return nil, &Error{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: fmt.Sprintf("The request is larger than %d bytes", limit)}
	}
	if err != nil {
		return nil, BadRequest("SerializationException", "The request could not be read: %v", err)
	}
	return raw, nil
}

// ReadForm reads parameters from the body and from the URL, as AWS does.
func ReadForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	raw, err := ReadBody(w, r)
	if err != nil {
		return nil, err
	}
	form, err := parseForm(r.URL.RawQuery, string(raw))
	if err != nil {
		return nil, BadRequest("MalformedQueryString", "The query string contains a syntax error")
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

// ServiceOf returns the service of a call in the Query protocol, based on the version of the API.
func ServiceOf(form url.Values) string {
	switch form.Get("Version") {
	case "2010-08-01":
		return CloudWatch
	case "2011-06-15":
		return STS
	}
	return ELB
}

// RegionOf returns the region in the credential scope of the signature, or the fallback.
func RegionOf(r *http.Request, fallback string) string {
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
