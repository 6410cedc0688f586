package gate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

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

// cannotJudge reports whether a status says something about the service, or about what is in
// front of it, and nothing about the release. A 500 may be either, and fails.
func cannotJudge(code int) bool {
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
	case cannotJudge(code):
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
