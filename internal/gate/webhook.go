package gate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/payload"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/signature"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// IdempotencyHeader is a header of every request: shift, gate, step and the number of the request in
// the shift, each escaped as in a URL, separated by slashes. A request that arrives twice has the
// same.
const IdempotencyHeader = "Idempotency-Key"

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
// SuccessCodes pass, by default 200 to 299. 202 and PendingCodes are inconclusive: not
// decided yet. 408, 409, 425, 429 and 501 to 599 are errors, because they say nothing
// about the release; the gate waits for Retry-After of a 429 or 503. Any other status
// from 400 to 500 fails. Redirects are not followed: a redirect is an error that ends the
// shift at once. Any other status and a missing response are errors.
//
// Every request has Idempotency-Key and X-Bluegreen-Timestamp, and a signature for each
// secret; see signature.Keys.
type Webhook struct {
	Request
	SecretEnv string // environment variable with the secret of X-Bluegreen-Signature-256; empty: no such signature
	// StandardSecretEnv is the environment variable with the secret of the headers of
	// Standard Webhooks, "whsec_" and base64 of 24 to 64 bytes; empty: no such headers.
	StandardSecretEnv string
	SuccessCodes      []int // statuses that pass; nil: 200 to 299
	PendingCodes      []int // statuses that are inconclusive, in addition to 202
}

// fill fills in the placeholders of the URL and the headers.
func (c Webhook) fill(f fill) Webhook {
	c.Request = c.Request.fill(f)
	return c
}

// NeedsLive returns the first argument that needs a live environment; nil: none does.
func (c Webhook) NeedsLive() *ArgumentError { return filling[Webhook](c.fill).needsLive() }

// Check returns everything that is wrong with the arguments, without reading the
// environment.
func (c Webhook) Check() []*ArgumentError {
	sample, errs := filling[Webhook](c.fill).sampled()
	return append(errs, sample.check()...)
}

func (c Webhook) check() []*ArgumentError {
	errs := c.Request.Check()
	for _, reserved := range append(signature.Headers(), "Content-Type", IdempotencyHeader) {
		for _, argument := range c.setBy(reserved) {
			errs = append(errs, invalid(argument, "the provider sets %s", reserved))
		}
	}
	return slices.Concat(errs, c.secret().check(), c.standardSecret().check(), c.checkCodes())
}

// CheckFixed is Check for what is sent outside of a gate, where nothing fills in placeholders.
func (c Webhook) CheckFixed() []*ArgumentError {
	errs := c.check()
	if strings.Contains(c.URL, "{{") {
		errs = append(errs, invalid("url", "placeholders are for gates"))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if strings.Contains(c.Headers[name], "{{") {
			errs = append(errs, &ArgumentError{Argument: "headers", Key: name, Err: fmt.Errorf("%w: placeholders are for gates", ErrInvalid)})
		}
	}
	return errs
}

func (c Webhook) secret() secret { return secret{argument: "secret_env", variable: c.SecretEnv} }

func (c Webhook) standardSecret() secret {
	return secret{argument: "standard_webhooks_secret_env", variable: c.StandardSecretEnv, valid: func(text string) error {
		if _, err := signature.StandardKey(text); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return nil
	}}
}

// readKeys reads the keys of the signatures. Texts are to be masked.
func (c Webhook) readKeys(lookup Lookup) (keys signature.Keys, texts []string, errs []*ArgumentError) {
	own, errs := c.secret().read(lookup)
	standard, unset := c.standardSecret().read(lookup)
	keys.Own, texts = []byte(own), []string{own, standard, strings.TrimPrefix(standard, signature.StandardPrefix)}
	if standard != "" {
		keys.Standard, _ = signature.StandardKey(standard) // read has checked it
		texts = append(texts, string(keys.Standard))
	}
	return keys, texts, append(errs, unset...)
}

// NewWebhook returns a webhook gate, which keeps no connection open between
// evaluations. Wrong arguments are returned as joined *ArgumentError.
func NewWebhook(c Webhook, deps Dependencies) (rollout.Gate, error) {
	return filling[Webhook](c.fill).build(func(c Webhook) (rollout.Gate, error) { return newWebhook(c, deps) })
}

func newWebhook(c Webhook, deps Dependencies) (rollout.Gate, error) {
	poster, err := NewPoster(c, deps.Lookup)
	if err != nil {
		return nil, err
	}
	return &webhookGate{Webhook: c, Poster: poster}, nil
}

type webhookGate struct {
	Webhook
	*Poster
}

// Preflight implements rollout.Preflight. It connects to the server, but sends no request: the
// receiver would take it for one.
func (g *webhookGate) Preflight(ctx context.Context, _ rollout.GateInput) rollout.Verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, nil)
	v := g.mask.reachVerdict(ctx, g.client, req, err)
	v.Detail = "POST " + displayHost(g.URL) + ": " + v.Detail
	return v
}

// Evaluate implements rollout.Gate.
func (g *webhookGate) Evaluate(ctx context.Context, in rollout.GateInput) rollout.Verdict {
	start := time.Now()
	v := g.post(ctx, in, start)
	v.Detail = "POST " + displayHost(g.URL) + ": " + v.Detail
	return v
}

func (g *webhookGate) post(ctx context.Context, in rollout.GateInput, start time.Time) rollout.Verdict {
	reqCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := g.request(reqCtx, in, start)
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
	v.Detail += g.message(res)
	return v
}

func (g *webhookGate) request(ctx context.Context, in rollout.GateInput, now time.Time) (*http.Request, error) {
	text, err := payload.New(in, now).Text()
	if err != nil {
		return nil, err
	}
	return g.newRequest(ctx, Message{ID: idempotencyKey(in), ContentType: "application/json", Body: text}, now)
}

// idempotencyKey identifies an evaluation. Its number counts in the whole shift: the attempts of a
// step begin again after every weight change, of which a step may have several.
func idempotencyKey(in rollout.GateInput) string {
	return fmt.Sprintf("%s/%s/%d/%d", url.PathEscape(in.Shift), url.PathEscape(in.Gate), in.Step, in.Call)
}

// errNoVerdict is the cause if the response status is not a verdict.
var errNoVerdict = errors.New("the response status is not a verdict")

// checkCodes validates success_codes and pending_codes.
func (c Webhook) checkCodes() []*ArgumentError {
	var errs []*ArgumentError
	for _, list := range []struct {
		argument string
		codes    []int
	}{{"success_codes", c.SuccessCodes}, {"pending_codes", c.PendingCodes}} {
		if list.codes != nil && len(list.codes) == 0 {
			errs = append(errs, invalid(list.argument, "the list is empty"))
		}
		for i, code := range list.codes {
			switch {
			case code < 200 || code > 599:
				errs = append(errs, invalid(list.argument, "%d is not between 200 and 599", code))
			case slices.Contains(list.codes[:i], code):
				errs = append(errs, invalid(list.argument, "%d is listed twice", code))
			}
		}
	}
	for _, code := range c.PendingCodes {
		if slices.Contains(c.SuccessCodes, code) {
			errs = append(errs, invalid("pending_codes", "%d is in success_codes, too", code))
		}
	}
	return errs
}

// passes reports whether a status passes.
func (c Webhook) passes(code int) bool {
	if c.SuccessCodes != nil {
		return slices.Contains(c.SuccessCodes, code)
	}
	return code >= 200 && code <= 299 && !c.pends(code)
}

// pends reports whether a status says that there is no decision yet: 202, unless it passes, and
// PendingCodes.
func (c Webhook) pends(code int) bool {
	return slices.Contains(c.PendingCodes, code) || code == http.StatusAccepted && !slices.Contains(c.SuccessCodes, code)
}

// cannotDecide reports whether a status says something about the service, or about what is in
// front of it, and nothing about the release. A 500 may be either, and fails.
func cannotDecide(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code > 500 && code <= 599
}

// verdict depends only on the response status.
func (g *webhookGate) verdict(res *http.Response, took time.Duration) rollout.Verdict {
	text := fmt.Sprintf("status %d in %s", res.StatusCode, roundUp(took))
	switch code := res.StatusCode; {
	case g.passes(code):
		return rollout.Verdict{Status: rollout.Pass, Detail: text}
	case g.pends(code):
		return rollout.Verdict{Status: rollout.Inconclusive, Detail: text + ": not decided yet"}
	case code >= 300 && code <= 399:
		if to := redirectTarget(res); to != "" {
			text += " to " + displayHost(to) + " (redirects are not followed)"
		}
		return rollout.Verdict{Status: rollout.Errored, Final: true, Detail: text + ": set url to the address that decides", Err: errNoVerdict}
	case cannotDecide(code):
		v := rollout.Verdict{Status: rollout.Errored, Detail: text + ": the service cannot decide now", Err: errNoVerdict}
		if v.RetryAfter = retryAfter(res, time.Now()); v.RetryAfter > 0 {
			v.Detail += fmt.Sprintf(", Retry-After: %s", roundUp(v.RetryAfter))
		}
		return v
	case code >= 400 && code <= 599:
		return rollout.Verdict{Status: rollout.Fail, Detail: text + ", expected " + g.expected()}
	default:
		return rollout.Verdict{Status: rollout.Errored, Detail: text + ", which is not a verdict; expected " + g.expected(), Err: errNoVerdict}
	}
}

// expected describes the codes that pass.
func (c Webhook) expected() string {
	if c.SuccessCodes == nil {
		return "200 to 299"
	}
	var codes []string
	for _, code := range c.SuccessCodes {
		codes = append(codes, strconv.Itoa(code))
	}
	return strings.Join(codes, " or ")
}

// retryAfter returns how long a response with status 429 or 503 asks to wait, in seconds or
// until a date. The clock of the server counts, where it shows it. 0: not at all.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := strings.TrimSpace(res.Header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		now = date
	}
	return max(0, until.Sub(now))
}
