package gate

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

// Headers of Standard Webhooks (https://www.standardwebhooks.com), which a webhook gate sends with
// a secret for them.
const (
	StandardIDHeader        = "Webhook-Id"        // the Idempotency-Key, its dots as %2E
	StandardTimestampHeader = "Webhook-Timestamp" // as TimestampHeader
	StandardSignatureHeader = "Webhook-Signature" // "v1," and base64
)

var standardHeaders = []string{StandardIDHeader, StandardTimestampHeader, StandardSignatureHeader}

const (
	standardPrefix = "whsec_"
	// Lengths of a secret in bytes, from the specification.
	minStandardSecret, maxStandardSecret = 24, 64
)

// webhookKeys are the keys of the signatures of a webhook gate.
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
type webhookKeys struct {
	own, standard []byte   // nil: no signature
	texts         []string // as in the environment, to be masked
}

func (c Webhook) secret() secret { return secret{argument: "secret_env", variable: c.SecretEnv} }

func (c Webhook) standardSecret() secret {
	return secret{argument: "standard_webhooks_secret_env", variable: c.StandardSecretEnv, valid: func(text string) error {
		_, err := standardKey(text)
		return err
	}}
}

// standardKey decodes a secret of Standard Webhooks.
func standardKey(text string) ([]byte, error) {
	encoded, is := strings.CutPrefix(text, standardPrefix)
	if !is {
		return nil, fmt.Errorf("%w: the variable must have a secret that begins with %s", ErrInvalid, standardPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: the variable must have base64 after %s", ErrInvalid, standardPrefix)
	}
	if len(key) < minStandardSecret || len(key) > maxStandardSecret {
		return nil, fmt.Errorf("%w: the secret has %d bytes, and must have %d to %d", ErrInvalid, len(key), minStandardSecret, maxStandardSecret)
	}
	return key, nil
}

// readKeys reads the secrets.
func (c Webhook) readKeys(lookup Lookup) (webhookKeys, []*ArgumentError) {
	own, errs := c.secret().read(lookup)
	standard, unset := c.standardSecret().read(lookup)
	keys := webhookKeys{own: []byte(own), texts: []string{own, standard, strings.TrimPrefix(standard, standardPrefix)}}
	if standard != "" {
		keys.standard, _ = standardKey(standard) // read has checked it
		keys.texts = append(keys.texts, string(keys.standard))
	}
	return keys, append(errs, unset...)
}

// sign adds the time and the signatures to the headers of a request.
func (k webhookKeys) sign(header http.Header, id string, now time.Time, body []byte) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(TimestampHeader, timestamp)
	if len(k.own) > 0 {
		header.Set(SignatureHeader, "sha256="+hex.EncodeToString(hmacOf(k.own, timestamp, string(body))))
	}
	if len(k.standard) > 0 {
		id = strings.ReplaceAll(id, ".", "%2E") // dots separate what is signed
		header.Set(StandardIDHeader, id)
		header.Set(StandardTimestampHeader, timestamp)
		header.Set(StandardSignatureHeader, "v1,"+base64.StdEncoding.EncodeToString(hmacOf(k.standard, id, timestamp, string(body))))
	}
}

// hmacOf signs the parts together, so that none can be reused with another.
func hmacOf(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(strings.Join(parts, ".")))
	return mac.Sum(nil)
}
