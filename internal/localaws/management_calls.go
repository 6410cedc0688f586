package localaws

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// journaled is a call in a response of the management port.
type journaled struct {
	ID      int               `json:"id"`
	Service string            `json:"service"`
	Action  string            `json:"action"`
	Params  map[string]string `json:"params,omitempty"`
	Status  int               `json:"status"` // 0: not answered
	Error   string            `json:"error,omitempty"`
	At      time.Time         `json:"at"`
}

// callQuery is which calls a request to the management port asks for.
type callQuery struct {
	action, arn string
	after       int
	wait        time.Duration
}

func readCallQuery(form url.Values) (callQuery, error) {
	q := callQuery{action: form.Get("action"), arn: form.Get("arn")}
	for name := range form {
		if !slices.Contains([]string{"action", "arn", "after", "wait"}, name) {
			return q, fmt.Errorf("unknown parameter %q: known parameters are action, arn, after and wait", name)
		}
	}
	var err error
	if text := form.Get("after"); text != "" {
		if q.after, err = strconv.Atoi(text); err != nil {
			return q, fmt.Errorf("after must be the ID of a call: %w", err)
		}
	}
	if text := form.Get("wait"); text != "" {
		if q.wait, err = time.ParseDuration(text); err != nil {
			return q, fmt.Errorf("wait must be a duration: %w", err)
		}
	}
	return q, nil
}

func (q callQuery) matches(c Call) bool {
	return c.ID > q.after && (q.action == "" || q.action == c.Action) && (q.arn == "" || mentions(c.Params, q.arn))
}

// mentions reports whether a parameter contains a text.
func mentions(params url.Values, text string) bool {
	for _, values := range params {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, text) }) {
			return true
		}
	}
	return false
}

// getCalls lists calls of the journal. With wait, it responds when the first of them was made, or after that time.
func (m *management) getCalls(w http.ResponseWriter, r *http.Request) {
	q, err := readCallQuery(r.URL.Query())
	if err != nil {
		m.writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	found, _ := m.journal.find(q.matches)
	if len(found) == 0 && q.wait > 0 {
		ctx, cancel := context.WithTimeout(r.Context(), q.wait)
		defer cancel()
		// An error means that the time is over: then there is no call to list.
		found, _ = m.journal.await(ctx, q.matches)
	}
	out := []journaled{}
	for _, c := range found {
		out = append(out, journaled{ID: c.ID, Service: c.Service, Action: c.Action, Params: shownParams(c.Params), Status: c.Status, Error: c.ErrorCode, At: c.At})
	}
	m.writeJSON(w, http.StatusOK, out)
}

// shownParams returns parameters without those that say what the call is, and with secrets masked.
func shownParams(params url.Values) map[string]string {
	out := map[string]string{}
	for name := range params {
		switch {
		case name == "Action" || name == "Version":
		case strings.HasSuffix(name, ".ClientSecret") || strings.HasPrefix(name, "X-Amz-"):
			out[name] = "(masked)"
		default:
			out[name] = params.Get(name)
		}
	}
	return out
}
