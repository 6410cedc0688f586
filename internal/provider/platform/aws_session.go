package platform

import (
	"context"
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
	ErrAccount         = errors.New("the account is not in allowed_account_ids")
	errCredentials     = errors.New("the credentials expire too early")
	ErrSettingsUnknown = errors.New("the provider configuration depends on values that are known only after apply")
)

// AWSSession is the AWS configuration of a provider configuration, read on first use. The
// platforms and gates that call AWS share it.
type AWSSession struct {
	Settings AWSSettings

	mu      sync.Mutex
	config  *aws.Config
	allowed bool // the account was checked
}

// open returns the SDK configuration. The region is for STS where nothing else sets one.
func (s *AWSSession) open(ctx context.Context, region string) (aws.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Settings.Unknown {
		return aws.Config{}, ErrSettingsUnknown
	}
	if s.config == nil {
		config, err := s.Settings.load(ctx, region)
		if err != nil {
			return aws.Config{}, err
		}
		s.config = &config
	}
	return *s.config, nil
}

// accountTimeout limits the check of the account, which no caller limits.
const accountTimeout = 30 * time.Second

// checkAccount checks, once, that the credentials belong to an allowed account.
func (s *AWSSession) checkAccount(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	config, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.Settings.accounts) == 0 || s.allowed {
		return nil
	}
	identity, err := s.Settings.sts(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("sts:GetCallerIdentity: %w", err)
	}
	if account := aws.ToString(identity.Account); !slices.Contains(s.Settings.accounts, account) {
		return fmt.Errorf("%w: %s", ErrAccount, account)
	}
	s.allowed = true
	return nil
}

// CloudWatch returns a client for a region; empty: that of the configuration.
func (s *AWSSession) CloudWatch(ctx context.Context, region string) (*cloudwatch.Client, error) {
	config, err := s.open(ctx, region)
	if err != nil {
		return nil, err
	}
	return cloudwatch.NewFromConfig(config, func(o *cloudwatch.Options) {
		if region != "" {
			o.Region = region
		}
		if url := s.Settings.endpoints["cloudwatch"]; url != "" {
			o.BaseEndpoint = &url
		}
		if s.Settings.maxAttempts > 0 {
			o.RetryMaxAttempts = s.Settings.maxAttempts
		}
	}), nil
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
