package traffic

// NoMetricsError says why nothing counts the requests of the groups of environments, each on its
// own. It is permanent: a retry returns the same.
type NoMetricsError struct {
	Cause  string // a clause, such as "the A record of green is not an alias"
	Action string // what to do, such as "use cloudwatch_metric"
}

// Error implements error.
func (e *NoMetricsError) Error() string { return e.Cause + ": " + e.Action }
