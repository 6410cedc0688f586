package gate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Lookup returns an environment variable, as os.LookupEnv does. Only the provider
// reads the environment; it passes a Lookup to code that needs a variable.
type Lookup func(name string) (value string, ok bool)

// secret is an argument that names the environment variable with a secret, such as
// "bearer_token_env". An argument for the secret itself would store it in the state.
type secret struct {
	argument, key string // as in ArgumentError
	variable      string // empty: the argument is not set
	// valid returns why a secret cannot be used. Nil: every secret can be.
	valid func(text string) error
}

func (s secret) fault(err error) []*ArgumentError {
	return []*ArgumentError{{Argument: s.argument, Key: s.key, Err: err}}
}

// isSet is true for every key of a map: an empty name there is an error.
func (s secret) isSet() bool { return s.variable != "" || s.key != "" }

// check checks the name of the variable without reading the environment.
func (s secret) check() []*ArgumentError {
	if !s.isSet() {
		return nil
	}
	if err := checkVariable(s.variable); err != nil {
		return s.fault(err)
	}
	return nil
}

// read returns the secret; empty if the argument is not set. A variable that is not set or
// empty is ErrUnset: a request without its password would measure something else.
func (s secret) read(lookup Lookup) (string, []*ArgumentError) {
	if !s.isSet() {
		return "", nil
	}
	text, ok := lookup(s.variable)
	if !ok || text == "" {
		return "", s.fault(fmt.Errorf("%w: %s", ErrUnset, s.variable))
	}
	if s.valid != nil {
		if err := s.valid(text); err != nil {
			return "", s.fault(err)
		}
	}
	return text, nil
}

func checkVariable(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return fmt.Errorf("%w: it must be the name of an environment variable", ErrInvalid)
	}
	return nil
}

// Errors of arguments.
var (
	ErrUnset   = errors.New("the environment variable is not set")
	ErrMissing = errors.New("it is required")
	ErrInvalid = errors.New("invalid value")
)

// ArgumentError reports which argument of a gate is wrong. It never contains the
// value of a header.
type ArgumentError struct {
	Block    string // the nested block that has the argument, such as "query"; empty: none
	Index    int    // which of those blocks, from 0
	Argument string // as written in the configuration, such as "expect_body"
	Key      string // for a map, the key within it, such as a header name
	Err      error  // wraps ErrUnset, ErrMissing or ErrInvalid
}

// Error implements error.
func (e *ArgumentError) Error() string {
	at := e.Argument
	if e.Block != "" {
		at = fmt.Sprintf("%s[%d].%s", e.Block, e.Index, at)
	}
	if e.Key != "" {
		at = fmt.Sprintf("%s[%q]", at, e.Key)
	}
	return fmt.Sprintf("%s: %v", at, e.Err)
}

// Unwrap returns the cause.
func (e *ArgumentError) Unwrap() error { return e.Err }

func joinErrors(errs []*ArgumentError) error {
	var all []error
	for _, err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

func invalid(argument, format string, args ...any) *ArgumentError {
	return &ArgumentError{Argument: argument, Err: fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))}
}

// checkURL reports whether text is an absolute http or https URL.
func checkURL(argument, text string) []*ArgumentError {
	if text == "" {
		return []*ArgumentError{{Argument: argument, Err: ErrMissing}}
	}
	u, err := url.Parse(text)
	if err != nil {
		// The text may hold a password or a token: report only the reason.
		var urlErr *url.Error
		if errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return []*ArgumentError{invalid(argument, "%w", err)}
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return []*ArgumentError{invalid(argument, "it must start with http:// or https:// and a host")}
	}
	return nil
}

// Dependencies is what a gate uses besides its arguments.
type Dependencies struct {
	Lookup  Lookup          // reads one environment variable
	Environ func() []string // the whole environment that a command inherits, as "NAME=value"
	// CloudWatch returns the client for a region.
	CloudWatch func(region string) (CloudWatch, error)
	// Balancers returns the ARNs of the load balancers whose metrics are those of the requests to
	// each group, by group; none where CloudWatch has metrics of the groups. It returns a
	// traffic.NoMetricsError where nothing counts them. Nil: the same as none.
	Balancers func(ctx context.Context, backends []traffic.Backend) (map[string][]string, error)
	// AWSCredentials returns the credentials of the provider for requests to a region.
	AWSCredentials func(region string) (aws.CredentialsProvider, error)
	// Region is the default region: that of the routes of a switch, or of the target
	// groups of an environment.
	Region string
}

// CloudWatch is the subset of the CloudWatch API that gates use.
type CloudWatch interface {
	DescribeAlarms(context.Context, *cloudwatch.DescribeAlarmsInput, ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error)
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}
