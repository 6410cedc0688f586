package platform

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Credentials that AWS refuses are fetched again, whatever their source is: a rollback
// goes on until it has valid ones.

// reloading provides the credentials of the AWS configuration. From the second time on it
// reads the configuration again, because the SDK keeps what it read from files and what it
// fetched for a role, also after its cache is invalidated.
type reloading struct {
	load func(context.Context) (aws.Config, error)

	mu    sync.Mutex
	first aws.CredentialsProvider // nil after the first time
}

// reloaded returns a cache that reloads the configuration when it is invalidated.
func reloaded(first aws.CredentialsProvider, load func(context.Context) (aws.Config, error)) aws.CredentialsProvider {
	if first == nil || aws.IsCredentialsProvider(first, (*aws.AnonymousCredentials)(nil)) {
		return first
	}
	return aws.NewCredentialsCache(&reloading{load: load, first: first})
}

// Retrieve implements aws.CredentialsProvider.
func (r *reloading) Retrieve(ctx context.Context) (aws.Credentials, error) {
	r.mu.Lock()
	provider := r.first
	r.first = nil
	r.mu.Unlock()
	if provider != nil {
		return provider.Retrieve(ctx)
	}
	cfg, err := r.load(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return cfg.Credentials.Retrieve(ctx)
}

// renewing provides the credentials of a role. Where that fails, those with which it was
// assumed may be the reason, and are fetched again.
type renewing struct {
	role aws.CredentialsProvider
	base aws.CredentialsProvider
}

// renewed returns a cache of the credentials of a role.
func renewed(base, role aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(&renewing{role: role, base: base})
}

// Retrieve implements aws.CredentialsProvider.
func (r *renewing) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := r.role.Retrieve(ctx)
	if cache, ok := r.base.(*aws.CredentialsCache); err != nil && ok {
		cache.Invalidate()
		return r.role.Retrieve(ctx)
	}
	return got, err
}
