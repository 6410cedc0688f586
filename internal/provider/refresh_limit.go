package provider

import (
	"context"
	"errors"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/schedule"
)

// refreshTimeout bounds what the refresh of one resource reads, all reads together. An API
// that does not respond must not delay a plan for longer; what is optional is left out.
const refreshTimeout = 25 * time.Second

// errRefreshTimeout is the cause of a context that limitRefresh ended.
var errRefreshTimeout = errors.New("the reads of the refresh did not finish within " + schedule.FormatDuration(refreshTimeout))

func limitRefresh(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, refreshTimeout, errRefreshTimeout)
}
