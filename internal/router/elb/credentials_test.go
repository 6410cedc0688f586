package elb_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// renewedKeys returns other keys each time, as a token file that was replaced does.
type renewedKeys struct{ keys []string }

func (k *renewedKeys) Retrieve(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{AccessKeyID: k.keys[0], SecretAccessKey: secretKey}
	if len(k.keys) > 1 {
		k.keys = k.keys[1:]
	}
	return c, nil
}

// Credentials that AWS refuses are fetched again for the next call, although the SDK knows
// of no expiry. A call that another error ends does not fetch any.
func TestRouters_fetchExpiredCredentialsAgain(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var used []string
			w := &wire{answer: func(n int, req *http.Request) (*http.Response, error) {
				key, _, _ := strings.Cut(strings.TrimPrefix(req.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), "/")
				used = append(used, key)
				switch {
				case n == 1:
					return refusal(http.StatusForbidden, "AccessDenied", "not authorized")
				case key == "AKIAOLD":
					return refusal(http.StatusForbidden, code, "expired")
				}
				return noTargets()
			}}
			cfg := config()
			cfg.HTTPClient = w
			cfg.Credentials = aws.NewCredentialsCache(&renewedKeys{keys: []string{"AKIAOLD", "AKIANEW"}})
			_, rollback := elb.NewRouters(cfg, elb.Options{})
			group := "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/73e2d6bc24d8a067"
			for _, want := range []error{traffic.ErrDenied, traffic.ErrExpired, nil} {
				if err := health(t.Context(), rollback, group); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			if got := strings.Join(used, " "); got != "AKIAOLD AKIAOLD AKIANEW" {
				t.Errorf("the calls were signed with %s", got)
			}
		})
	}
}
