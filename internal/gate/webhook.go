package gate

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Headers that the webhook gate sends in addition to those of the configuration.
const (
	TimestampHeader = "X-Bluegreen-Timestamp"     // Unix time in seconds when the request is sent
	SignatureHeader = "X-Bluegreen-Signature-256" // "sha256=" and 64 hexadecimal digits; only with a secret
)

const (
	maxMessageBytes = 8 << 10 // bytes of a response that are read for its message
	// messageTimeout is how long the gate reads the response body once the status is
	// known. The status decides the verdict, so a fail must not wait for text.
	messageTimeout = time.Second
)

// Webhook is the arguments of the kind "webhook": a POST per evaluation, with the
// state of the shift as JSON (templates/webhook.schema.json). The status of the
// response decides the verdict.
//
// 202 and 425 are inconclusive: not decided yet. Any other status from 200 to 299
// passes. Any other from 400 to 599 fails. Redirects are not followed. A redirect,
// any other status and a missing response are errors.
//
// Every request has X-Bluegreen-Timestamp. With a secret, it also has
// X-Bluegreen-Signature-256: "sha256=" and the HMAC-SHA256, in lowercase
// hexadecimal, of the timestamp header, a dot, and the body byte for byte. The
// receiver recomputes it, compares in constant time, and rejects timestamps that
// are more than a few minutes off, so that a recorded request cannot be replayed
// later. In Python:
//
//	signed = request.headers["X-Bluegreen-Timestamp"].encode() + b"." + request.body
//	expected = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
//	ok = hmac.compare_digest(expected, request.headers["X-Bluegreen-Signature-256"])
//	ok = ok and abs(time.time() - int(request.headers["X-Bluegreen-Timestamp"])) < 300
type Webhook struct {
	Request
	SecretEnv string // environment variable with the secret of the signature; empty: no signature
}

// Check returns everything that is wrong with the arguments, without reading the
// environment.
func (c Webhook) Check() []*ArgumentError {
	errs := c.Request.Check()
	for _, reserved := range []string{"Content-Type", TimestampHeader, SignatureHeader} {
		for _, argument := range c.setBy(reserved) {
			errs = append(errs, invalid(argument, "the gate sets %s", reserved))
		}
	}
	return append(errs, c.secret().check()...)
}

func (c Webhook) secret() secret { return secret{argument: "secret_env", variable: c.SecretEnv} }

// NewWebhook returns a webhook gate, which keeps no connection open between
// evaluations. Wrong arguments are returned as joined *ArgumentError.
func NewWebhook(c Webhook, deps Dependencies) (rollout.Gate, error) {
	sent, unset := c.read(deps.Lookup)
	secret, secretUnset := c.secret().read(deps.Lookup)
	if errs := slices.Concat(c.Check(), unset, secretUnset); len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	masked := c.newMask(sent, secret)
	sent.Set("Content-Type", "application/json")
	return &webhookGate{Webhook: c, client: newClient(nil), sent: sent, secret: []byte(secret), mask: masked}, nil
}

type webhookGate struct {
	Webhook
	client *http.Client
	sent   http.Header
	secret []byte
	mask   mask
}

// Evaluate implements rollout.Gate.
func (g *webhookGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	start := time.Now()
	v := g.post(ctx, newInputBody(in, start), start)
	v.Detail = "POST " + displayHost(g.URL) + ": " + v.Detail
	return v
}

func (g *webhookGate) post(ctx context.Context, b inputBody, start time.Time) rollout.Verdict {
	reqCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := g.request(reqCtx, b, start)
	if err != nil {
		text, cause := g.mask.noResponse(ctx, err, 0)
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}
	}
	res, err := g.client.Do(req)
	took := time.Since(start)
	if err != nil {
		text, cause := g.mask.noResponse(ctx, err, took)
		return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: cause}
	}
	defer func() { _ = res.Body.Close() }()
	v := g.verdict(res, took)
	if v.Status == rollout.Pass {
		return v
	}
	defer time.AfterFunc(messageTimeout, cancel).Stop()
	if message := g.message(res); message != "" {
		v.Detail += ". Response: " + message
	}
	return v
}

func (g *webhookGate) request(ctx context.Context, b inputBody, now time.Time) (*http.Request, error) {
	text, err := b.text()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	addHeaders(req, g.sent)
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set(TimestampHeader, timestamp)
	if len(g.secret) > 0 {
		req.Header.Set(SignatureHeader, signature(g.secret, timestamp, text))
	}
	return req, nil
}

// signature signs the timestamp together with the body, so that neither can be
// reused with another.
func signature(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, timestamp+".")
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// errNoVerdict is the cause if the response status is not a verdict.
var errNoVerdict = errors.New("the response status is not a verdict")

// verdict depends only on the response status.
func (g *webhookGate) verdict(res *http.Response, took time.Duration) rollout.Verdict {
	text := fmt.Sprintf("status %d in %s", res.StatusCode, roundUp(took))
	switch code := res.StatusCode; {
	case code == http.StatusAccepted || code == http.StatusTooEarly:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: text + ": not decided yet"}
	case code >= 200 && code <= 299:
		return rollout.Verdict{Status: rollout.Pass, Detail: text}
	case code >= 400 && code <= 599:
		return rollout.Verdict{Status: rollout.Fail, Detail: text + ", expected 200 to 299"}
	case redirectTarget(res) != "":
		text += " to " + displayHost(redirectTarget(res)) + " (redirects are not followed)"
	default:
		text += ", which is not a verdict"
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: text, Err: errNoVerdict}
}

// message returns the beginning of the response body on one line, as far as it
// arrives before messageTimeout.
func (g *webhookGate) message(res *http.Response) string {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxMessageBytes))
	return oneLine(g.mask.hide(string(text)))
}
