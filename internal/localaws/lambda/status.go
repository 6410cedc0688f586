package lambda

import (
	"maps"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// Counts are the invocations of a version by way of an alias, a version or the function, since the start.
type Counts struct {
	Invocations int `json:"invocations"`
	Errors      int `json:"errors"`
}

// count counts an invocation.
func (s *Service) count(i dataplane.Invocation, arn string) {
	s.opts.Metrics.Invocation(i)
	s.countMu.Lock()
	defer s.countMu.Unlock()
	if s.counts[arn] == nil {
		s.counts[arn] = map[string]Counts{}
	}
	c := s.counts[arn][i.Version]
	c.Invocations++
	if i.Failed {
		c.Errors++
	}
	s.counts[arn][i.Version] = c
}

// Counts returns the invocations of the ARN of an alias, a version or a function, by the version that ran. They are
// never reset.
func (s *Service) Counts(arn string) map[string]Counts {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	return maps.Clone(s.counts[arn])
}

// AliasStatus is an alias in the form of the management port.
type AliasStatus struct {
	Weights map[string]float64 `json:"weights"`
	Counts  map[string]Counts  `json:"counts"`
}

// Status returns all aliases by ARN.
func (s *Service) Status() map[string]AliasStatus {
	out := map[string]AliasStatus{}
	for _, f := range s.current.Load().functions {
		for name := range f.aliases {
			arn := f.arn + ":" + name
			out[arn] = AliasStatus{Weights: s.Weights(arn), Counts: s.Counts(arn)}
		}
	}
	return out
}
