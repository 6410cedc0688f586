// Package signature signs the requests of webhook gates: as GitHub does, with a timestamp, and as in
// Standard Webhooks (https://www.standardwebhooks.com).
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a signed request. The last three are those of Standard Webhooks.
const (
	TimestampHeader         = "X-Bluegreen-Timestamp"
	Header                  = "X-Bluegreen-Signature-256"
	StandardIDHeader        = "Webhook-Id"        // the Idempotency-Key, its dots as %2E
	StandardTimestampHeader = "Webhook-Timestamp" // as TimestampHeader
	StandardHeader          = "Webhook-Signature" // "v1," and base64
)

// Headers returns all of them.
func Headers() []string {
	return []string{TimestampHeader, Header, StandardIDHeader, StandardTimestampHeader, StandardHeader}
}

const (
	// StandardPrefix begins a secret of Standard Webhooks.
	StandardPrefix = "whsec_"
	// Lengths of a secret in bytes, from the specification.
	minStandardSecret, maxStandardSecret = 24, 64
)

// Keys are the keys of the signatures.
//
// The one of X-Bluegreen-Signature-256 signs the timestamp, a dot, and the body byte for byte:
// "sha256=" and the HMAC-SHA256 in lowercase hexadecimal. That of Standard Webhooks signs the id, a
// dot, the timestamp, a dot, and the body: "v1," and the HMAC-SHA256 in base64. The receiver
// recomputes it, compares in constant time, and rejects timestamps that are more than a few minutes
// off, so that a recorded request cannot be replayed later. In Python:
//
//	signed = request.headers["X-Bluegreen-Timestamp"].encode() + b"." + request.body
//	expected = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
//	ok = hmac.compare_digest(expected, request.headers["X-Bluegreen-Signature-256"])
//	ok = ok and abs(time.time() - int(request.headers["X-Bluegreen-Timestamp"])) < 300
type Keys struct {
	Own, Standard []byte // nil: no signature
}

// StandardKey decodes a secret of Standard Webhooks.
func StandardKey(text string) ([]byte, error) {
	encoded, is := strings.CutPrefix(text, StandardPrefix)
	if !is {
		return nil, fmt.Errorf("the variable must have a secret that begins with %s", StandardPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("the variable must have base64 after %s", StandardPrefix)
	}
	if len(key) < minStandardSecret || len(key) > maxStandardSecret {
		return nil, fmt.Errorf("the secret has %d bytes, and must have %d to %d", len(key), minStandardSecret, maxStandardSecret)
	}
	return key, nil
}

// Sign adds the time and the signatures to the headers of a request.
func (k Keys) Sign(header http.Header, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(TimestampHeader, timestamp)
	if len(k.Own) > 0 {
		header.Set(Header, "sha256="+hex.EncodeToString(hmacOf(k.Own, timestamp, string(body))))
	}
	if len(k.Standard) > 0 {
		id = strings.ReplaceAll(id, ".", "%2E") // dots separate what is signed
		header.Set(StandardIDHeader, id)
		header.Set(StandardTimestampHeader, timestamp)
		header.Set(StandardHeader, "v1,"+base64.StdEncoding.EncodeToString(hmacOf(k.Standard, id, timestamp, string(body))))
	}
}

// hmacOf signs the parts together, so that none can be reused with another.
func hmacOf(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(strings.Join(parts, ".")))
	return mac.Sum(nil)
}
