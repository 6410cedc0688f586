package route53

import "time"

// SetBatchWindow sets the time within which writes of a zone are one batch, for tests whose writes
// must be one also on a slow machine. It must be called before the first write.
func (r *Router) SetBatchWindow(d time.Duration) { r.window = d }

// Avoiding is avoiding.
var Avoiding = avoiding
