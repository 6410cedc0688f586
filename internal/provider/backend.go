package provider

import (
	"context"
	"errors"
	"sync"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
)

// errSettingsUnknown reports a provider configuration that is known only after an apply.
var errSettingsUnknown = errors.New("the provider configuration depends on values that are known only after apply")

// backend is shared by all resources of one provider configuration. Its clients are
// created on first use.
type backend struct {
	aws     awsSession
	busy    *Busy
	lookup  gate.Lookup     // reads one environment variable, for gates
	environ func() []string // returns all environment variables, for command gates
	ledger  *ledger         // what the resources of one run report to each other
	// allowDestroy allows environments that carry traffic to be destroyed.
	allowDestroy bool
	detaching    sync.Mutex // held by the one environment that detaches its target groups

	mu   sync.Mutex
	made map[string]*clients // by the block of the platform
}

// connect returns the clients of the platform of a route or group.
func (b *backend) connect(ctx context.Context, id string) (*clients, error) {
	p := platformOf(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.made[p.block]; c != nil {
		return c, nil
	}
	c, err := p.connect(ctx, b, id)
	if err != nil {
		return nil, err
	}
	if b.made == nil {
		b.made = map[string]*clients{}
	}
	b.made[p.block] = c
	return c, nil
}

// dependencies is what gates are created with. The id is one of the routes or groups, and
// sets the region for gates that have none of their own.
func (b *backend) dependencies(ctx context.Context, id string) gate.Dependencies {
	region := elbRegion(id)
	return gate.Dependencies{Lookup: b.lookup, Environ: b.environ, Region: region,
		CloudWatch: func(of string) (gate.CloudWatch, error) {
			if of == "" {
				of = region
			}
			return b.aws.cloudwatch(ctx, of)
		}}
}
