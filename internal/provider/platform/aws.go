package platform

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
)

const (
	tokenFileVariable = "AWS_WEB_IDENTITY_TOKEN_FILE"
	defaultSession    = "terraform-provider-bluegreen"
	shortestRole      = 15 * time.Minute // the limits of STS
	longestRole       = 12 * time.Hour
)

// AWSSettings is the AWS configuration, with secrets: it is never logged, and passed to the guardian
// through a pipe only. Empty values leave the decision to the SDK.
type AWSSettings struct {
	Profile, Region             string
	AccessKey, SecretKey, Token string
	ConfigFiles, SecretFiles    []string
	Role                        *RoleSettings
	Web                         *WebSettings
	MaxAttempts                 int
	Accounts                    []string
	Endpoints                   map[string]string
	UserAgent                   string
	// Unknown is true while part of the configuration is unknown: nothing can be
	// called yet, which does not matter to a plan that makes no calls.
	Unknown bool
}

// RoleSettings is the block assume_role.
type RoleSettings struct {
	ARN, Session, ExternalID string
	Duration                 time.Duration
}

// WebSettings is the block assume_role_with_web_identity.
type WebSettings struct{ ARN, Session, TokenFile string }

// awsReader reads the block aws.
type awsReader struct{ *input.Reader }

// ReadAWS reads the provider configuration. The token file can come from the
// environment.
func ReadAWS(v types.List, environment func(string) string) (AWSSettings, diag.Diagnostics) {
	rd := awsReader{&input.Reader{}}
	at, a := rd.Block(path.Root("aws"), v)
	s := AWSSettings{
		Profile:     rd.Text(a["profile"]),
		Region:      rd.Text(a["region"]),
		AccessKey:   rd.Text(a["access_key"]),
		SecretKey:   rd.Text(a["secret_key"]),
		Token:       rd.Text(a["token"]),
		ConfigFiles: rd.List(at.AtName("shared_config_files"), a["shared_config_files"]),
		SecretFiles: rd.List(at.AtName("shared_credentials_files"), a["shared_credentials_files"]),
		Role:        rd.role(at, a["assume_role"]),
		Web:         rd.web(at, a["assume_role_with_web_identity"]),
		MaxAttempts: rd.Whole(at.AtName("max_attempts"), a["max_attempts"], 1, 0),
		Accounts:    rd.accounts(at.AtName("allowed_account_ids"), a["allowed_account_ids"]),
		Endpoints:   map[string]string{},
	}
	if s.Web != nil && s.Web.TokenFile == "" && !rd.Unknown {
		if s.Web.TokenFile = environment(tokenFileVariable); s.Web.TokenFile == "" {
			rd.Add(noTokenFile(at.AtName("assume_role_with_web_identity").AtListIndex(0).AtName("web_identity_token_file")))
		}
	}
	endpointsAt, endpoints := rd.Block(at.AtName("endpoints"), a["endpoints"])
	for _, service := range slices.Sorted(maps.Keys(endpoints)) {
		s.Endpoints[service] = rd.endpoint(endpointsAt.AtName(service), endpoints[service])
	}
	rd.checkKeys(at, a)
	s.Unknown = rd.Unknown
	return s, rd.Diags
}

// checkKeys rejects half a pair of keys, which the SDK would silently ignore.
func (r awsReader) checkKeys(at path.Path, a map[string]attr.Value) {
	access, secret, token := input.Missing(a["access_key"]), input.Missing(a["secret_key"]), input.Missing(a["token"])
	switch {
	case access && !secret:
		r.Add(keyWithout(at.AtName("secret_key"), "access_key"))
	case !access && secret:
		r.Add(keyWithout(at.AtName("access_key"), "secret_key"))
	case access && !token:
		r.Add(keyWithout(at.AtName("token"), "access_key"))
	}
	if roles := r.Blocks(a["assume_role"]); len(roles) > 0 && len(r.Blocks(a["assume_role_with_web_identity"])) > 0 {
		r.Add(twoRoles(at.AtName("assume_role_with_web_identity").AtListIndex(0).AtName("role_arn")))
	}
}

// accountForm is the form of an AWS account id.
var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// accounts reads account ids.
func (r awsReader) accounts(at path.Path, v attr.Value) []string {
	ids := r.List(at, v)
	for _, id := range ids {
		if !accountForm.MatchString(id) {
			r.Add(malformedAccount(at, id))
		}
	}
	return ids
}

func (r awsReader) role(at path.Path, v attr.Value) *RoleSettings {
	at, a := r.Block(at.AtName("assume_role"), v)
	if a == nil {
		return nil
	}
	s := &RoleSettings{
		ARN:        r.Text(a["role_arn"]),
		Session:    r.Text(a["session_name"]),
		ExternalID: r.Text(a["external_id"]),
		Duration:   r.Duration(at.AtName("duration"), a["duration"], shortestRole),
	}
	if s.Duration < shortestRole || s.Duration > longestRole {
		r.Add(roleDuration(at.AtName("duration"), r.Text(a["duration"])))
	}
	return s
}

func (r awsReader) web(at path.Path, v attr.Value) *WebSettings {
	_, a := r.Block(at.AtName("assume_role_with_web_identity"), v)
	if a == nil {
		return nil
	}
	return &WebSettings{ARN: r.Text(a["role_arn"]), Session: r.Text(a["session_name"]), TokenFile: r.Text(a["web_identity_token_file"])}
}

// endpoint reads the URL of a service.
func (r awsReader) endpoint(at path.Path, v attr.Value) string {
	text := r.Text(v)
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		r.Add(unreadableURL(at, text))
	}
	return text
}

// load returns the SDK configuration. Where nothing else sets a region, it is that of the ARN that is
// called first, for STS, or globalRegion where the id has none.
func (s AWSSettings) load(ctx context.Context, region string) (aws.Config, error) {
	cfg, _, err := s.loadRegional(ctx, region)
	return cfg, err
}

// loadRegional is load. It reports whether something set the region.
func (s AWSSettings) loadRegional(ctx context.Context, region string) (cfg aws.Config, known bool, err error) {
	options := s.options()
	load := func(ctx context.Context) (aws.Config, error) { return loadWith(ctx, options) }
	cfg, err = load(ctx)
	if known = cfg.Region != "" || region != ""; err == nil && cfg.Region == "" {
		// The SDK may assume a role itself, as the environment or a profile says.
		options = append(options, config.WithDefaultRegion(cmp.Or(region, s.globalRegion(cfg))))
		cfg, err = load(ctx)
	}
	if err != nil {
		return cfg, known, err
	}
	cfg.Credentials = reloaded(cfg.Credentials, load)
	cfg.APIOptions = append(cfg.APIOptions, awsmiddleware.AddUserAgentKey(s.UserAgent))
	s.assume(&cfg)
	return cfg, known, nil
}

// configuredRegion is the region that is configured; empty: none.
func (s AWSSettings) configuredRegion(ctx context.Context) (string, error) {
	cfg, err := loadWith(ctx, s.options())
	return cfg.Region, err
}

func loadWith(ctx context.Context, options []func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("the AWS configuration could not be read: %w", err)
	}
	return cfg, nil
}

// options are the settings as options of the SDK.
func (s AWSSettings) options() []func(*config.LoadOptions) error {
	options := []func(*config.LoadOptions) error{
		// A plain http.Client fails where AWS_CA_BUNDLE is set.
		config.WithHTTPClient(awshttp.NewBuildableClient()),
	}
	if s.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.Profile))
	}
	if s.Region != "" {
		options = append(options, config.WithRegion(s.Region))
	}
	if s.ConfigFiles != nil {
		options = append(options, config.WithSharedConfigFiles(s.ConfigFiles))
	}
	if s.SecretFiles != nil {
		options = append(options, config.WithSharedCredentialsFiles(s.SecretFiles))
	}
	if s.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, s.Token)))
	}
	return options
}

// globalRegion is the region in which the global services of the partition are called, such as Route 53:
// that of the role, if there is one, or of what the SDK finds in the environment and in a profile.
func (s AWSSettings) globalRegion(cfg aws.Config) string {
	role := ""
	switch {
	case s.Role != nil:
		role = s.Role.ARN
	case s.Web != nil:
		role = s.Web.ARN
	}
	parsed, _ := arn.Parse(role) // a malformed one has no partition
	return route53.GlobalRegion(cmp.Or(parsed.Partition, awscall.PartitionOf(cfg)))
}

// assume adds a role on top of the credentials. Both kinds of role renew themselves.
func (s AWSSettings) assume(cfg *aws.Config) {
	session := func(name string) string {
		if name == "" {
			return defaultSession
		}
		return name
	}
	switch client := s.sts(*cfg); {
	case s.Role != nil:
		cfg.Credentials = renewed(cfg.Credentials, stscreds.NewAssumeRoleProvider(client, s.Role.ARN, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration = session(s.Role.Session), s.Role.Duration
			if s.Role.ExternalID != "" {
				o.ExternalID = &s.Role.ExternalID
			}
		}))
	case s.Web != nil:
		cfg.Credentials = renewed(cfg.Credentials, stscreds.NewWebIdentityRoleProvider(client, s.Web.ARN,
			stscreds.IdentityTokenFile(s.Web.TokenFile), func(o *stscreds.WebIdentityRoleOptions) {
				o.RoleSessionName = session(s.Web.Session)
			}))
	}
}

func (s AWSSettings) sts(cfg aws.Config) *sts.Client {
	return sts.NewFromConfig(cfg, func(o *sts.Options) {
		if url := s.Endpoints["sts"]; url != "" {
			o.BaseEndpoint = &url
		}
	})
}
