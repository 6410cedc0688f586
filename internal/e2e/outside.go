package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// hangTimeout is the time after which a command or a wait counts as hung. The longest
// takes 20 seconds on an idle machine.
func hangTimeout() time.Duration { return slow.Deadline(3 * time.Minute) }

// eventually waits for a condition outside this process.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(hangTimeout())
	for !is() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("timed out after %s waiting: %s", hangTimeout(), what)
		}
	}
}

// moreRequests waits for as many responses as a second of the load has requests.
func moreRequests(t *testing.T, load *rehearsal.Load) {
	t.Helper()
	before := load.Counts().Requests
	eventually(t, "a second of requests", func() bool { return load.Counts().Requests > before+LoadRate })
}

// lostNothing ends a load and checks that every request was answered.
func lostNothing(t *testing.T, load *rehearsal.Load) rehearsal.Counts {
	t.Helper()
	counts := load.Stop()
	if counts.Lost > 0 {
		t.Errorf("%d of %d requests were lost; the first: %s", counts.Lost, counts.Requests, counts.FirstLost)
	}
	if counts.Requests == 0 {
		t.Error("there was no load")
	}
	return counts
}

// writes counts the calls that changed an action.
func writes(calls []localaws.Call) int {
	n := 0
	for _, call := range calls {
		if call.Action == "ModifyListener" || call.Action == "ModifyRule" {
			n++
		}
	}
	return n
}

// Client returns an HTTP client with cookies.
func Client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: hangTimeout()}
}

// VersionAt returns the version that responds at a URL.
func VersionAt(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.Header.Get(rehearsal.VersionHeader), nil
}
