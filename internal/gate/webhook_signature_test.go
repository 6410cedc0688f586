package gate_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

// standardSecret is the secret of the example that is published with the specification.
const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// standardSignature computes a signature of Standard Webhooks as a receiver does.
func standardSignature(t *testing.T, id, timestamp, body string) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(standardSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + timestamp + "." + body))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestWebhook_signsAsStandardWebhooks(t *testing.T) {
	const published = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := standardSignature(t, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`); got != published {
		t.Fatalf("this test computes %s for the published example", got)
	}
	in := canaryInput()
	in.Gate = "approve.v2"
	req, body := sentRequest(t, gate.Webhook{StandardSecretEnv: "STANDARD", SecretEnv: "OWN"}, map[string]string{"STANDARD": standardSecret, "OWN": "own"}, in)
	id, timestamp := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	if want := strings.ReplaceAll(req.Header.Get("Idempotency-Key"), ".", "%2E"); id != want || strings.Contains(id, ".") || !strings.Contains(id, "approve%2Ev2") {
		t.Errorf("got the id %q, want %q", id, want)
	}
	if got := req.Header.Get("webhook-signature"); got != standardSignature(t, id, timestamp, string(body)) || timestamp != req.Header.Get("X-Bluegreen-Timestamp") {
		t.Errorf("got the signature %s of %s", got, timestamp)
	}
	if req.Header.Get("X-Bluegreen-Signature-256") == "" {
		t.Error("the other signature is missing")
	}
	req, _ = sentRequest(t, gate.Webhook{SecretEnv: "OWN"}, map[string]string{"OWN": "own"}, in)
	if req.Header.Get("webhook-signature")+req.Header.Get("webhook-id") != "" {
		t.Errorf("got %v without a secret", req.Header)
	}
}

func TestWebhook_badStandardSecrets(t *testing.T) {
	variables := map[string]string{"PREFIX": strings.TrimPrefix(standardSecret, "whsec_"), "BASE64": "whsec_not base64!",
		"SHORT": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23)), "LONG": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))}
	for _, c := range []gate.Webhook{
		{StandardSecretEnv: "UNSET"}, {StandardSecretEnv: "PREFIX"}, {StandardSecretEnv: "BASE64"}, {StandardSecretEnv: "SHORT"}, {StandardSecretEnv: "LONG"},
		{StandardSecretEnv: "A=B"}, {Request: gate.Request{Headers: map[string]string{"webhook-ID": "1"}}},
	} {
		c.URL = "https://h"
		g, err := gate.NewWebhook(c, gate.Dependencies{Lookup: lookupIn(variables)})
		if g != nil || err == nil {
			t.Errorf("NewWebhook accepts %+v", c)
		}
		golden.Record(t, fmt.Sprint(err))
	}
}
