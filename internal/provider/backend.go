package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// Errors of the clients.
var (
	errSettingsUnknown = errors.New("the provider configuration depends on values that are known only after apply")
	errAccount         = errors.New("the account is not in allowed_account_ids")
	errCredentials     = errors.New("the credentials expire too early")
)

// backend is shared by all resources of one provider configuration. Its clients are
// created on first use.
type backend struct {
	aws     awsSettings
	busy    *Busy
	lookup  gate.Lookup     // reads one environment variable, for gates
	environ func() []string // returns all environment variables, for command gates
	ledger  *ledger         // what the resources of one run report to each other
	// allowDestroy allows environments that carry traffic to be destroyed.
	allowDestroy bool
	detaching    sync.Mutex // held by the one environment that detaches its target groups

	mu      sync.Mutex
	made    *clients
	account string // checked against allowed_account_ids; empty: not checked yet
}

// clients call AWS.
type clients struct {
	config            aws.Config
	forward, rollback *elb.Router
	reader            *elb.Reader
}

// connect returns the clients. The ARN sets the region for STS where nothing else
// does.
func (b *backend) connect(ctx context.Context, arn string) (*clients, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made != nil {
		return b.made, nil
	}
	if b.aws.unknown {
		return nil, errSettingsUnknown
	}
	region := ""
	if a, err := elb.Parse(arn); err == nil {
		region = a.Region
	}
	cfg, err := b.aws.load(ctx, region)
	if err != nil {
		return nil, err
	}
	c := &clients{config: cfg}
	c.forward, c.rollback = elb.NewRouters(cfg, b.aws.elb())
	c.reader = elb.NewReader(c.forward)
	b.made = c
	return c, nil
}

// checkAccount checks, once, that the credentials belong to an allowed account.
func (b *backend) checkAccount(ctx context.Context, c *clients) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.aws.accounts) == 0 || b.account != "" {
		return nil
	}
	identity, err := b.aws.sts(c.config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return fmt.Errorf("sts:GetCallerIdentity: %w", err)
	}
	account := aws.ToString(identity.Account)
	if !slices.Contains(b.aws.accounts, account) {
		return fmt.Errorf("%w: %s", errAccount, account)
	}
	b.account = account
	return nil
}

// credentialsLast reports an error where the credentials expire within d. Credentials
// that renew themselves, or whose expiry is unknown, count as valid.
func (c *clients) credentialsLast(ctx context.Context, d time.Duration) error {
	now, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errCredentials, err)
	}
	if !now.CanExpire || now.Expires.After(time.Now().Add(d)) {
		return nil
	}
	if cache, ok := c.config.Credentials.(*aws.CredentialsCache); ok {
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
