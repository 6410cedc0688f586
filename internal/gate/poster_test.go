package gate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

// posted posts to a server, and returns the answer without the time it took.
func posted(ctx context.Context, t *testing.T, handler http.HandlerFunc) gate.Posted {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	p, err := gate.NewPoster(gate.Webhook{Request: gate.Request{URL: srv.URL + "/hooks/hidden-path"}, SecretEnv: "KEY"},
		lookupIn(map[string]string{"KEY": "s3cret-of-ours"}), "hidden-path")
	if err != nil {
		t.Fatal(err)
	}
	x := p.Post(ctx, gate.Message{ID: "3f2a/1", ContentType: "text/plain", Body: []byte("hello")})
	x.Detail = regexp.MustCompile(`in [0-9.]+[µm]?s|after [0-9.]+[µm]?s`).ReplaceAllString(strings.ReplaceAll(x.Detail, srv.URL, "<server>"), "in <time>")
	return x
}

func TestPoster_answers(t *testing.T) {
	answers := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte("at " + r.URL.Path + ", key s3cret-of-ours"))
		}
	}
	refused := ". Response: at /hooks/***, key ***"
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    gate.Posted
	}{
		{"200", answers(200), gate.Posted{Accepted: true, Detail: "status 200 in <time>"}},
		{"202", answers(202), gate.Posted{Accepted: true, Detail: "status 202 in <time>"}},
		{"302", answers(302, "Location", "https://other.example.com/hooks/hidden-path"), gate.Posted{Detail: "status 302 in <time> to https://other.example.com (redirects are not followed)" + refused}},
		{"400", answers(400), gate.Posted{Detail: "status 400 in <time>" + refused}},
		{"408", answers(408), gate.Posted{Again: true, Detail: "status 408 in <time>" + refused}},
		{"409", answers(409), gate.Posted{Detail: "status 409 in <time>" + refused}},
		{"410", answers(410), gate.Posted{Detail: "status 410 in <time>" + refused}},
		{"429", answers(429, "Retry-After", "7"), gate.Posted{Again: true, RetryAfter: 7 * time.Second, Detail: "status 429 in <time>" + refused}},
		{"500", answers(500, "Retry-After", "7"), gate.Posted{Again: true, Detail: "status 500 in <time>" + refused}},
		{"503", answers(503, "Retry-After", "2"), gate.Posted{Again: true, RetryAfter: 2 * time.Second, Detail: "status 503 in <time>" + refused}},
		{"broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, gate.Posted{Again: true, Detail: "no response: EOF"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Detail = "POST <server>: " + tt.want.Detail
			if got := posted(t.Context(), t, tt.handler); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// A request ends with its context, also while its response is awaited.
func TestPoster_endsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	got := posted(ctx, t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	close(release)
	if want := (gate.Posted{Again: true, Detail: "POST <server>: no response in <time>"}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What is no gate has no placeholders.
func TestWebhook_checkFixed(t *testing.T) {
	c := gate.Webhook{Request: gate.Request{URL: "https://hooks.example.com/{{incoming.version}}", Headers: map[string]string{"X-Team": "web", "X-Version": "{{incoming.version}}"}}}
	if errs := c.Check(); len(errs) != 0 {
		t.Errorf("as a gate: %v", errs)
	}
	text := ""
	for _, err := range c.CheckFixed() {
		text += err.Error() + "\n"
	}
	if want := "url: invalid value: placeholders are for gates\n" + `headers["X-Version"]: invalid value: placeholders are for gates` + "\n"; text != want {
		t.Errorf("got %s", text)
	}
}
