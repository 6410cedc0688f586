package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Errors of AWS credentials.
var (
	ErrAccount     = errors.New("the account is not in allowed_account_ids")
	errCredentials = errors.New("the credentials expire too early")
)

// AWSSession is the AWS configuration of a provider configuration, read on first use. The
// platforms and gates that call AWS share it.
type AWSSession struct {
	Settings AWSSettings

	mu      sync.Mutex
	config  *aws.Config
	region  bool   // whether something set the region of config
	account string // of the credentials, once it was read

	looked     sync.Once
	configured string // the region that is configured
	configErr  error

	planned    sync.Once
	plannedErr error // of the check in a plan
}

// open returns the SDK configuration. The region is for STS where nothing else sets one; empty: the id has none, as a
// record.
func (s *AWSSession) open(ctx context.Context, region string) (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Settings.Unknown {
		return aws.Config{}, ErrSettingsUnknown
	}
	if s.config == nil {
		config, known, err := s.Settings.loadRegional(ctx, region)
		if err != nil {
			return aws.Config{}, err
		}
		s.config, s.region = &config, known
	}
	if !s.region && region != "" {
		s.config.Region, s.region = region, true
	}
	return *s.config, nil
}

// Region returns the region that the provider, the environment or the profile sets; empty: none. That of an ARN is not
// one: which ARN is called first is chance. It calls nothing, and does not open the session, because the first region of
// open is that of the roles which the SDK assumes.
func (s *AWSSession) Region(ctx context.Context) (string, error) {
	if s.Settings.Unknown {
		return "", ErrSettingsUnknown
	}
	s.looked.Do(func() { s.configured, s.configErr = s.Settings.configuredRegion(ctx) })
	return s.configured, s.configErr
}

// accountTimeout limits the check of the account, which no caller limits.
const accountTimeout = 30 * time.Second

// checkAccount checks, once, that the credentials belong to an allowed account.
func (s *AWSSession) checkAccount(ctx context.Context) error {
	return s.checkAccountFrom(ctx, "")
}

// checkAccountFrom is checkAccount; the region is for STS where nothing else sets one.
func (s *AWSSession) checkAccountFrom(ctx context.Context, region string) error {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	config, err := s.open(ctx, region)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.Settings.Accounts) == 0 {
		return nil
	}
	if s.account == "" {
		identity, err := s.Settings.sts(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return fmt.Errorf("sts:GetCallerIdentity: %w", err)
		}
		s.account = aws.ToString(identity.Account)
	}
	return s.allows(s.account)
}

// allows returns ErrAccount for an account that is not in the list.
func (s *AWSSession) allows(account string) error {
	if len(s.Settings.Accounts) == 0 || slices.Contains(s.Settings.Accounts, account) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrAccount, account)
}

// CheckPlanned is the check of the account in a plan. It takes at most one call in a run, and returns only
// ErrAccount: a plan works without credentials, and the apply reports everything else.
func (s *AWSSession) CheckPlanned(ctx context.Context, region string) error {
	if len(s.Settings.Accounts) == 0 || s.Settings.Unknown {
		return nil
	}
	s.planned.Do(func() { s.plannedErr = s.checkAccountFrom(ctx, region) })
	if errors.Is(s.plannedErr, ErrAccount) {
		return s.plannedErr
	}
	return nil
}

// Allows returns ErrAccount where the account of a route or group is known not to be allowed. It calls nothing.
func (s *AWSSession) Allows(id string) error {
	account := Of(id).Place(id).Account
	if account == "" || s.Settings.Unknown {
		return nil
	}
	return s.allows(account)
}

// CloudWatch returns a client for a region; empty: that of the configuration, if something set it.
func (s *AWSSession) CloudWatch(ctx context.Context, region string) (*cloudwatch.Client, error) {
	config, err := s.open(ctx, region)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	known := s.region
	s.mu.Unlock()
	return cloudwatch.NewFromConfig(config, func(o *cloudwatch.Options) {
		if region != "" || !known {
			o.Region = region
		}
		if url := s.Settings.Endpoints["cloudwatch"]; url != "" {
			o.BaseEndpoint = &url
		}
		if s.Settings.MaxAttempts > 0 {
			o.RetryMaxAttempts = s.Settings.MaxAttempts
		}
	}), nil
}

// Credentials returns what returns the credentials for requests to a region.
func (s *AWSSession) Credentials(ctx context.Context) func(region string) (aws.CredentialsProvider, error) {
	return func(region string) (aws.CredentialsProvider, error) {
		config, err := s.open(ctx, region)
		if err != nil {
			return nil, err
		}
		return config.Credentials, nil
	}
}

// clients completes the clients of a platform with what all have in common. The id is a route or group.
func (s *AWSSession) clients(config aws.Config, id string, c Clients) *Clients {
	c.CheckAccount = s.checkAccount
	c.CredentialsLast = func(ctx context.Context, d time.Duration) error { return credentialsLast(ctx, config.Credentials, d) }
	c.Handover = func(ctx context.Context) (json.RawMessage, error) { return s.handover(ctx, id) }
	return &c
}

// credentialsLast reports an error where the credentials expire within d. Credentials that
// renew themselves, or whose expiry is unknown, count as valid.
func credentialsLast(ctx context.Context, provider aws.CredentialsProvider, d time.Duration) error {
	now, err := provider.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errCredentials, err)
	}
	if !now.CanExpire || now.Expires.After(time.Now().Add(d)) {
		return nil
	}
	if cache, ok := provider.(*aws.CredentialsCache); ok {
		cache.Invalidate()
		fresh, err := cache.Retrieve(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", errCredentials, err)
		}
		if !fresh.CanExpire || fresh.Expires.After(now.Expires) {
			return nil // they renew themselves
		}
	}
	return fmt.Errorf("%w: they expire at %s and are needed until %s", errCredentials,
		now.Expires.UTC().Format(time.RFC3339), time.Now().Add(d).UTC().Format(time.RFC3339))
}
