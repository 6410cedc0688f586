package rollout

import "time"

// DefaultRollbackTimeout is Spec.RollbackTimeout if that is 0: how long a rollback is
// retried. Users are on a bad version meanwhile, so nothing but time ends it.
const DefaultRollbackTimeout = 10 * time.Minute

const (
	// rollbackDuration is how long a rollback takes where the API answers, with retries,
	// and so how much longer than a hold the credentials must last.
	rollbackDuration = time.Minute
	// revertTimeout limits the writes of a revert, and cleanUpTimeout those that attach and
	// detach at the end. An interrupt ends neither, so they are short.
	revertTimeout, cleanUpTimeout = time.Minute, time.Minute
)

// rollbackTimeout returns how long a rollback is retried.
func (s Spec) rollbackTimeout() time.Duration {
	if s.RollbackTimeout > 0 {
		return s.RollbackTimeout
	}
	return DefaultRollbackTimeout
}
