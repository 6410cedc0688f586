package dataplane

import "time"

// Invocation is one run of a version of a Lambda function.
type Invocation struct {
	Region, Function string
	Qualifier        string // the alias or version that was invoked; empty: none
	Version          string // the version that ran
	Failed           bool
	Took             time.Duration
}

// FunctionMetrics counts invocations. It must be safe for concurrent use.
type FunctionMetrics interface {
	Invocation(i Invocation)
}
