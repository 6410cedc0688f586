package connect_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/connect"
)

const (
	record   = "Z0123456789ABC/app.example.com/A"
	govAlias = "arn:aws-us-gov:lambda:us-gov-east-1:123456789012:function:shop:live"
	keys     = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n"
)

// signed is an AWS that accepts no credentials. It gets the regions and services that requests are signed for.
func signed(t *testing.T) <-chan string {
	t.Helper()
	scopes := make(chan string, 100)
	scope := regexp.MustCompile(`Credential=[^/]*/\d*/([^/]*/[^/]*)/`)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if found := scope.FindStringSubmatch(r.Header.Get("Authorization")); found != nil {
			scopes <- found[1]
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>`))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL) // the SDK does not use the other one to assume a role
	return scopes
}

// first returns the first of the scopes so far.
func first(scopes <-chan string) string {
	select {
	case scope := <-scopes:
		return scope
	default:
		return "no call"
	}
}

// configured is the environment of a machine with the files of the AWS CLI.
func configured(t *testing.T, env map[string]string, config, credentials string) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // restores it
			_ = os.Unsetenv(name)
		}
	}
	for name, text := range map[string]string{"AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": credentials} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, file)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// A record has no region: without one in the configuration, Route 53 is called in the partition of the credentials, and
// the command says so where that is not known. The region of an ARN is in the ARN.
func TestOpen_region(t *testing.T) {
	accessKeys := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
	for name, c := range map[string]struct {
		route  string
		env    map[string]string
		config string
		want   string // the scope of the call to the router; at an endpoint of AWS, the SDK knows the region of the partition
		says   string // in the error
	}{
		"access keys":                    {record, accessKeys, "", "us-east-1/route53", "No region is set"},
		"access keys and a region":       {record, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-gov-east-1"}, "", "us-gov-east-1/route53", ""},
		"the region of a profile":        {record, accessKeys, "[default]\nregion = cn-north-1\n", "cn-north-1/route53", ""},
		"an alias":                       {govAlias, accessKeys, "", "us-gov-east-1/lambda", ""},
		"an alias and another region":    {govAlias, map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-gov-west-1"}, "", "us-gov-east-1/lambda", ""},
		"access keys of another profile": {record, map[string]string{"AWS_PROFILE": "gov"}, "[profile gov]\n" + keys, "us-east-1/route53", "No region is set"},
	} {
		t.Run(name, func(t *testing.T) {
			configured(t, c.env, c.config, "")
			scopes := signed(t)
			clients, err := connect.Open(t.Context(), c.route, "test")
			if err != nil {
				t.Fatal(err)
			}
			target, err := operate.FromRoutes([]string{c.route})
			if err != nil {
				t.Fatal(err)
			}
			_, err = (&operate.Operator{Clients: clients, Target: target}).Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || c.says == "" && strings.Contains(err.Error(), "No region") {
				t.Errorf("got %v", err)
			}
			if got := first(scopes); got != c.want {
				t.Errorf("the call was for %s, want %s", got, c.want)
			}
		})
	}
}

// The role that the SDK assumes shows the partition of the credentials. STS is called there.
func TestOpen_partitionOfTheRole(t *testing.T) {
	for name, c := range map[string]struct{ role, want string }{
		"commercial": {"arn:aws:iam::123456789012:role/release", "us-east-1/sts"},
		"GovCloud":   {"arn:aws-us-gov:iam::123456789012:role/release", "us-gov-west-1/sts"},
		"China":      {"arn:aws-cn:iam::123456789012:role/release", "cn-northwest-1/sts"},
	} {
		t.Run(name, func(t *testing.T) {
			configured(t, map[string]string{"AWS_PROFILE": "release"}, "[profile release]\nrole_arn = "+c.role+"\nsource_profile = base\n", "[base]\n"+keys)
			scopes := signed(t)
			_, err := connect.Open(t.Context(), record, "test")
			if got := first(scopes); got != c.want || err == nil {
				t.Errorf("the role was assumed in %s, want %s: %v", got, c.want, err)
			}
		})
	}
}
