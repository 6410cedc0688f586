package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/gates"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/ledger"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/notifying"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/platform"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/reporting"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// backend is shared by all resources of one provider configuration. Its clients are
// created on first use.
type backend struct {
	session platform.Session
	busy    *Busy
	lookup  gate.Lookup     // reads one environment variable, for gates
	environ func() []string // returns all environment variables, for command gates
	ledger  *ledger.Ledger  // what the resources of one run report to each other
	// noRecord reports that shifts leave no record (shift_record = "off").
	noRecord bool
	// noGuardian reports that shifts have no guardian (guardian = false).
	noGuardian bool
	reports    reporting.Settings
	notices    notifying.Settings
	// orphaned reports that Terraform is gone, so that nothing will save the state.
	orphaned func() bool
	// allowDestroy allows environments that carry traffic to be destroyed.
	allowDestroy bool
	detaching    sync.Mutex // held by the one environment that detaches its target groups

	mu   sync.Mutex
	made map[string]*platform.Clients // by the block of the platform
}

// isUnsaved reports that nothing of an apply that ends now will be saved: Terraform is gone, or
// does not wait for the answer.
func (b *backend) isUnsaved() bool { return b.orphaned() || b.busy.finished.Load() }

// connect returns the clients of the platform of a route or group.
func (b *backend) connect(ctx context.Context, id string) (*platform.Clients, error) {
	p := platform.Of(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.made[p.Block]; c != nil {
		return c, nil
	}
	c, err := p.Connect(ctx, &b.session, id)
	if err != nil {
		return nil, err
	}
	if b.made == nil {
		b.made = map[string]*platform.Clients{}
	}
	b.made[p.Block] = c
	return c, nil
}

// dependencies is what gates are created with. The id is one of the routes or groups; it, or the provider where
// the platform has no regions, sets the region for gates that have none of their own.
func (b *backend) dependencies(ctx context.Context, p platform.Entry, id string) gate.Dependencies {
	region := p.Region(id)
	if p.Regionless {
		region, _ = b.session.AWS.Region(ctx) // a gate that needs it fails without one
	}
	return gate.Dependencies{Lookup: b.lookup, Environ: b.environ, Region: region,
		AWSCredentials: b.session.AWS.Credentials(ctx),
		Balancers: func(ctx context.Context, backends []traffic.Backend) (map[string][]string, error) {
			c, err := b.connect(ctx, id)
			if err != nil || c.Balancers == nil {
				return nil, err
			}
			return c.Balancers(ctx, backends)
		},
		CloudWatch: func(of string) (gate.CloudWatch, error) {
			if of == "" {
				of = region
			}
			return b.session.AWS.CloudWatch(ctx, of)
		}}
}

// checkGates reports what gates lack on this machine, as gates.Here does, and whether they lack a region.
func (b *backend) checkGates(ctx context.Context, p platform.Entry, all []*gates.Gate, ships bool) diag.Diagnostics {
	diags := gates.Here(gate.Dependencies{Lookup: b.lookup, Environ: b.environ}, all, ships)
	if !p.Regionless {
		return diags
	}
	if region, err := b.session.AWS.Region(ctx); region == "" && err == nil {
		diags.Append(gates.Regionless(all, ships)...)
	}
	return diags
}

// configured is embedded in resources and data sources: it holds what the provider's
// Configure made, nil during validation.
type configured struct{ backend *backend }

// configure takes over the provider's data. Terraform also calls it before the provider
// is configured, without any.
func (c *configured) configure(data any) (diags diag.Diagnostics) {
	if data == nil {
		return nil
	}
	b, ok := data.(*backend)
	if !ok {
		return diag.Diagnostics{input.ReportToDevelopers("Cannot configure the resource", input.Fact{"Type", fmt.Sprintf("%T", data)})}
	}
	c.backend = b
	return nil
}

// Busy counts running shifts and readiness checks, so that the process exits only
// after the last of them has finished or rolled back, even if Terraform was killed or
// does not wait.
type Busy struct {
	shifts   atomic.Int64
	finished atomic.Bool // Finish was called

	mu      sync.Mutex
	removes []func(context.Context) error
}

// Shifts returns how many are running.
func (b *Busy) Shifts() int { return int(b.shifts.Load()) }

// begin counts one more until the returned function is called.
func (b *Busy) begin() (end func()) {
	b.shifts.Add(1)
	return func() { b.shifts.Add(-1) }
}

// later registers the removal of a record of a shift that ended. Until the state is saved,
// nothing but the record remembers the shift.
func (b *Busy) later(remove func(context.Context) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removes = append(b.removes, remove)
}

// Finish removes the records of the shifts that ended before it was called. Call it when
// Terraform stops the provider: Terraform has saved what the shifts returned by then. A
// record that cannot be removed means nothing, and the next plan shows it.
func (b *Busy) Finish(ctx context.Context) error {
	b.finished.Store(true)
	b.mu.Lock()
	removes := b.removes
	b.removes = nil
	b.mu.Unlock()
	errs := make([]error, len(removes))
	var all sync.WaitGroup
	for i, remove := range removes {
		all.Go(func() { errs[i] = remove(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// refreshTimeout bounds what the refresh of one resource reads, all reads together. An API
// that does not respond must not delay a plan for longer; what is optional is left out.
const refreshTimeout = 25 * time.Second

// errRefreshTimeout is the cause of a context that limitRefresh ended.
var errRefreshTimeout = errors.New("the reads of the refresh did not finish within " + schedule.FormatDuration(refreshTimeout))

func limitRefresh(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, refreshTimeout, errRefreshTimeout)
}
