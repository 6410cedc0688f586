package platform

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

const someRecord = "Z0123456789ABC/app.example.com/A"

// A record has no region, and none is configured: a role is assumed in the region in which Route 53 is called, which is that of
// the partition of the role.
func TestAWSSession_roleWithoutRegion(t *testing.T) {
	for name, c := range map[string]struct{ role, region string }{
		"commercial": {"arn:aws:iam::123456789012:role/release", "us-east-1"},
		"China":      {"arn:aws-cn:iam::123456789012:role/release", "cn-northwest-1"},
		"GovCloud":   {"arn:aws-us-gov:iam::123456789012:role/release", "us-gov-west-1"},
		"malformed":  {"release", "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			file, shared := withoutAWS(t)
			sts := newFakeSTS(t)
			writeFile(t, file, keys("AKIAOLD"))
			writeFile(t, shared, "")
			session := &Session{AWS: AWSSession{Settings: AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}, Endpoints: map[string]string{"sts": sts.url},
				Role: &RoleSettings{ARN: c.role, Duration: time.Hour}}}}
			assumedIn(t, session, sts, c.region)
		})
	}
}

// The same, where the SDK assumes the role: the web identity of a CI job, or the role of a profile.
func TestAWSSession_roleOfTheEnvironmentWithoutRegion(t *testing.T) {
	file, shared := withoutAWS(t)
	sts := newFakeSTS(t)
	token := filepath.Join(t.TempDir(), "token")
	writeFile(t, token, "token")
	writeFile(t, file, "")
	writeFile(t, shared, "")
	for name, value := range map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/release", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": sts.url} {
		t.Setenv(name, value)
	}
	assumedIn(t, &Session{AWS: AWSSession{Settings: AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}}}}, sts, "us-east-1")
}

// assumedIn checks that the clients of a record have credentials of a role that was assumed in a region.
func assumedIn(t *testing.T, session *Session, sts *fakeSTS, region string) {
	t.Helper()
	clients, err := Of(someRecord).Connect(t.Context(), session, someRecord)
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.CredentialsLast(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := Of(someRecord).Connect(t.Context(), session, someRecord); err != nil {
		t.Fatal(err)
	}
	if err := clients.CredentialsLast(t.Context(), time.Minute); err != nil || sts.n.Load() != 1 {
		t.Errorf("%d roles were assumed, %v", sts.n.Load(), err)
	}
	if got := sts.region.Load(); got != nil && got != region {
		t.Errorf("the role was assumed in %q, want %q", got, region)
	}
	config, err := session.AWS.open(t.Context(), "")
	if err != nil || config.Region != region {
		t.Errorf("Route 53 is called in %q, want %q: %v", config.Region, region, err)
	}
	// The region of an ARN is that of calls which have none of their own.
	if config, err = session.AWS.open(t.Context(), "eu-central-1"); err != nil || config.Region != "eu-central-1" {
		t.Errorf("the region is %q, %v", config.Region, err)
	}
}

// Metrics are not read in the region of Route 53: a gate without a region is an error of the SDK then.
func TestAWSSession_metricsHaveNoDefaultRegion(t *testing.T) {
	file, shared := withoutAWS(t)
	writeFile(t, file, keys("AKIAOLD"))
	writeFile(t, shared, "")
	session := &AWSSession{Settings: AWSSettings{SecretFiles: []string{file}, ConfigFiles: []string{shared}}}
	for _, c := range []struct{ arn, want string }{{"", ""}, {"eu-central-1", "eu-central-1"}} {
		if _, err := session.open(t.Context(), c.arn); err != nil {
			t.Fatal(err)
		}
		client, err := session.CloudWatch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Options().Region; got != c.want {
			t.Errorf("after a call in %q, metrics are read in %q, want %q", c.arn, got, c.want)
		}
	}
}

// The region of the provider does not depend on which ARN is called first.
func TestAWSSession_regionOfTheProvider(t *testing.T) {
	for name, c := range map[string]struct{ argument, variable, file, want string }{
		"argument":    {"eu-west-1", "eu-west-2", "", "eu-west-1"},
		"environment": {"", "eu-west-2", "[default]\nregion = eu-west-3\n", "eu-west-2"},
		"profile":     {"", "", "[default]\nregion = eu-west-3\n", "eu-west-3"},
		"none":        {},
	} {
		t.Run(name, func(t *testing.T) {
			file, shared := withoutAWS(t)
			writeFile(t, file, keys("AKIAOLD"))
			writeFile(t, shared, c.file)
			t.Setenv("AWS_REGION", c.variable)
			session := &AWSSession{Settings: AWSSettings{Region: c.argument, SecretFiles: []string{file}, ConfigFiles: []string{shared}}}
			if _, err := session.open(t.Context(), "eu-central-1"); err != nil {
				t.Fatal(err)
			}
			if got, err := session.Region(t.Context()); got != c.want || err != nil {
				t.Errorf("the region is %q, want %q: %v", got, c.want, err)
			}
		})
	}
	if _, err := (&AWSSession{Settings: AWSSettings{Unknown: true}}).Region(t.Context()); !errors.Is(err, ErrSettingsUnknown) {
		t.Errorf("settings that are unknown have a region: %v", err)
	}
}
