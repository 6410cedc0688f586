package route53_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
)

const secretKey = "wJalrXUtnFEMI-never-to-be-seen"

// wire answers the SDK without a socket, so that hours of retries take no real time, and in ways that
// localaws does not simulate.
type wire struct {
	// answer gets the action, such as "ListResourceRecordSets", and the number of the request, from 1.
	answer func(action string, n int, req *http.Request) (*http.Response, error)

	mu      sync.Mutex
	actions []string
	at      []time.Time
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	action := actionOf(req)
	w.mu.Lock()
	w.actions = append(w.actions, action)
	w.at = append(w.at, time.Now())
	n := len(w.actions)
	w.mu.Unlock()
	return w.answer(action, n, req)
}

// changes returns how many batches were sent.
func (w *wire) changes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, a := range w.actions {
		if a == change {
			n++
		}
	}
	return n
}

func actionOf(req *http.Request) string {
	path := strings.TrimPrefix(req.URL.Path, "/2013-04-01/")
	switch {
	case strings.HasPrefix(path, "change/"):
		return "GetChange"
	case strings.HasSuffix(path, "/status"):
		return "GetHealthCheckStatus"
	case strings.HasPrefix(path, "healthcheck/"):
		return "GetHealthCheck"
	case req.Method == http.MethodPost:
		return "ChangeResourceRecordSets"
	}
	return "ListResourceRecordSets"
}

func reply(status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func refusal(status int, code, message string) (*http.Response, error) {
	return reply(status, `<ErrorResponse><Error><Type>Sender</Type><Code>`+code+`</Code><Message>`+message+
		`</Message></Error><RequestId>7</RequestId></ErrorResponse>`)
}

// listed answers a listing with record sets in XML.
func listed(sets ...string) (*http.Response, error) {
	return reply(http.StatusOK, `<ListResourceRecordSetsResponse><ResourceRecordSets>`+strings.Join(sets, "")+
		`</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListResourceRecordSetsResponse>`)
}

// set is a record set of app.example.com in XML, with more fields.
func set(kind, more string) string {
	return `<ResourceRecordSet><Name>app.example.com.</Name><Type>` + kind + `</Type>` + more + `</ResourceRecordSet>`
}

// weighted is a weighted record set of app.example.com.
func weighted(kind, identifier string, weight int) string {
	return set(kind, fmt.Sprintf(`<SetIdentifier>%s</SetIdentifier><Weight>%d</Weight><TTL>60</TTL>`+
		`<ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>`, identifier, weight))
}

// accepted answers a change.
func accepted() (*http.Response, error) {
	return reply(http.StatusOK, `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status>`+
		`<SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`)
}

// hang is a connection that drops packets.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

func config() aws.Config {
	return aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", secretKey, "")}
}

func pair(w *wire, o route53.Options) (forward, rollback *route53.Router) {
	cfg := config()
	cfg.HTTPClient = w
	return route53.NewRouters(cfg, o)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func routersByName(w *wire) map[string]*route53.Router {
	forward, rollback := pair(w, route53.Options{})
	return map[string]*route53.Router{"forward": forward, "rollback": rollback}
}

// bodyOf returns the body of a request.
func bodyOf(t *testing.T, req *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}
