package platform

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// credentialSequence returns credentials that expire at the next of its times.
type credentialSequence struct{ ends []time.Time }

func (l *credentialSequence) Retrieve(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{AccessKeyID: "AKIALOCAL", SecretAccessKey: "secret"}
	if len(l.ends) == 0 {
		return c, nil
	}
	c.CanExpire, c.Expires = true, l.ends[0]
	if len(l.ends) > 1 {
		l.ends = l.ends[1:]
	}
	return c, nil
}

func TestCredentialsLast_untilExpiry(t *testing.T) {
	soon, later := time.Now().Add(10*time.Minute), time.Now().Add(20*time.Minute)
	for name, c := range map[string]struct {
		ends []time.Time
		for_ time.Duration
		want error
	}{
		"nothing is known of their end":   {nil, 24 * time.Hour, nil},
		"long enough":                     {[]time.Time{soon}, time.Minute, nil},
		"too short":                       {[]time.Time{soon}, time.Hour, errCredentials},
		"too short, but they renew":       {[]time.Time{soon, later}, time.Hour, nil},
		"same credentials again":          {[]time.Time{soon, soon}, time.Hour, errCredentials},
		"ended already and never renewed": {[]time.Time{time.Now().Add(-time.Minute)}, time.Second, errCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			if err := credentialsLast(t.Context(), aws.NewCredentialsCache(&credentialSequence{c.ends}), c.for_); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAWSSession_unknownSettings(t *testing.T) {
	session := &Session{AWS: AWSSession{Settings: AWSSettings{Unknown: true}}}
	route := "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
	if _, err := Of(route).Connect(t.Context(), session, route); !errors.Is(err, ErrSettingsUnknown) {
		t.Error(err)
	}
}
