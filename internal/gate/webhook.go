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
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// Headers that a webhook sends of its own accord.
const (
	TimestampHeader = "X-Bluegreen-Timestamp"     // seconds since 1970 in UTC, at the time of sending
	SignatureHeader = "X-Bluegreen-Signature-256" // "sha256=" and 64 hexadecimal digits; with a secret alone
)

const (
	maxMessageBytes = 8 << 10 // bytes of an answer that are read for its message
	// messageTimeout is how long an answer's message may take once its status is
	// known. The status decides, and a fail must not wait for words.
	messageTimeout = time.Second
)

// Webhook is the arguments of the kind "webhook": a POST per call, with a JSON
// body that says where the shift stands (templates/webhook.schema.json), by whose
// status somebody else decides.
//
// 202 and 425 are inconclusive: not yet. Any other status from 200 to 299 passes.
// One from 400 to 599 fails. Redirects are not followed, and they, any other
// status and no answer at all are errors.
//
// Every request has X-Bluegreen-Timestamp. Where there is a secret, it also has
// X-Bluegreen-Signature-256: "sha256=" and the HMAC-SHA256, in lower-case
// hexadecimal digits, of the timestamp as it stands in its header, a dot, and the
// body as it came, byte for byte. Whoever receives it recomputes that, compares
// in constant time, and refuses timestamps that are more than a few minutes off,
// so that a recorded request is of no use later. In Python:
//
//	signed = request.headers["X-Bluegreen-Timestamp"].encode() + b"." + request.body
//	wanted = "sha256=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
//	ok = hmac.compare_digest(wanted, request.headers["X-Bluegreen-Signature-256"])
//	ok = ok and abs(time.time() - int(request.headers["X-Bluegreen-Timestamp"])) < 300
type Webhook struct {
	URL        string            // http or https; required
	Headers    map[string]string // "Host" is the host that is asked for
	HeadersEnv map[string]string // by header: the environment variable with its value
	SecretEnv  string            // the environment variable with the secret of the signature; empty: none is sent
}

// Check returns everything that is wrong with the arguments, without looking at
// the environment.
func (c Webhook) Check() []*ArgumentError {
	errs := checkURL("url", c.URL)
	errs = append(errs, headers{c.Headers, c.HeadersEnv}.check()...)
	for _, own := range []string{"Content-Type", TimestampHeader, SignatureHeader} {
		for _, given := range []struct {
			argument string
			all      map[string]string
		}{{"headers", c.Headers}, {"headers_env", c.HeadersEnv}} {
			if hasHeader(given.all, own) {
				errs = append(errs, invalid(given.argument, "%s is sent by the gate itself", own))
			}
		}
	}
	if c.SecretEnv != "" {
		if err := checkVariable(c.SecretEnv); err != nil {
			errs = append(errs, &ArgumentError{Argument: "secret_env", Err: err})
		}
	}
	return errs
}

// NewWebhook returns a gate of the kind, which holds nothing open between two
// calls. It returns what is wrong with the arguments as *ArgumentError, joined.
func NewWebhook(c Webhook, means Dependencies) (rollout.Gate, error) {
	sent, unset := headers{c.Headers, c.HeadersEnv}.read(means.Lookup)
	errs := append(c.Check(), unset...)
	secret := ""
	if c.SecretEnv != "" {
		var err error
		if secret, err = means.Lookup.secret(c.SecretEnv); err != nil {
			errs = append(errs, &ArgumentError{Argument: "secret_env", Err: err})
		}
	}
	if len(errs) > 0 {
		return nil, joinErrors(errs)
	}
	hidden := newMask(sent, append(credentials(c.URL), secret)...)
	sent.Set("Content-Type", "application/json")
	return &webhookGate{Webhook: c, client: newClient(nil), sent: sent, secret: []byte(secret), mask: hidden}, nil
}

type webhookGate struct {
	Webhook
	client *http.Client
	sent   http.Header
	secret []byte
	mask   mask
}

// Evaluate implements rollout.Gate.
func (g *webhookGate) Evaluate(ctx context.Context, m rollout.GateInput) rollout.Verdict {
	start := time.Now()
	v := g.post(ctx, newInputBody(m, start), start)
	v.Detail = "POST " + displayHost(g.URL) + ": " + v.Detail
	return v
}

func (g *webhookGate) post(ctx context.Context, b inputBody, start time.Time) rollout.Verdict {
	answered, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := g.request(answered, b, start)
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
		v.Detail += ". It answered: " + message
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
	req.Header = g.sent.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set(TimestampHeader, timestamp)
	if len(g.secret) > 0 {
		req.Header.Set(SignatureHeader, signature(g.secret, timestamp, text))
	}
	return req, nil
}

// signature signs the timestamp with the body, so that neither can be sent again
// with another.
func signature(secret []byte, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, timestamp+".")
	_, _ = mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// errNoVerdict is the cause of an answer that decides nothing.
var errNoVerdict = errors.New("the answer is no verdict")

// verdict goes by the status alone.
func (g *webhookGate) verdict(res *http.Response, took time.Duration) rollout.Verdict {
	saw := fmt.Sprintf("status %d in %s", res.StatusCode, roundUp(took))
	switch code := res.StatusCode; {
	case code == http.StatusAccepted || code == http.StatusTooEarly:
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: saw + ", not yet"}
	case code >= 200 && code <= 299:
		return rollout.Verdict{Status: rollout.Pass, Detail: saw}
	case code >= 400 && code <= 599:
		return rollout.Verdict{Status: rollout.Fail, Detail: saw + ", wanted 200 to 299"}
	case redirectTarget(res) != "":
		saw += " to " + displayHost(redirectTarget(res)) + ", which is not followed"
	default:
		saw += ", which is no verdict"
	}
	return rollout.Verdict{Status: rollout.Errored, Detail: saw, Err: errNoVerdict}
}

// message is the beginning of the answer's body on one line, as far as it comes
// in time.
func (g *webhookGate) message(res *http.Response) string {
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxMessageBytes))
	return oneLine(g.mask.hide(string(text)))
}
