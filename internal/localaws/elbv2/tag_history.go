package elbv2

import (
	"slices"
	"time"
)

// maxTagVersions is the number of versions that a history holds. Beyond it, the oldest are discarded.
const maxTagVersions = 1000

// tagHistory is what the tags of a resource were, oldest version first. Faults show older versions. A history is
// immutable, as every record in a state.
type tagHistory []tagVersion

// tagVersion is the tags of a resource from a time on.
type tagVersion struct {
	since time.Time
	tags  []tag
}

// with returns a history that ends with these tags. A write that changes nothing adds no version.
func (h tagHistory) with(tags []tag, now time.Time) tagHistory {
	if len(h) > 0 && slices.Equal(h.latest(), tags) {
		return h
	}
	recent := h[max(0, len(h)-maxTagVersions+1):]
	return append(slices.Clone(recent), tagVersion{since: now, tags: tags})
}

// latest returns the current tags.
func (h tagHistory) latest() []tag {
	if len(h) == 0 {
		return nil
	}
	return h[len(h)-1].tags
}

// asOf returns the tags at a time, and with stale those before the latest change until then. Nothing is older than
// the tags with which the resource was created.
func (h tagHistory) asOf(at time.Time, stale bool) []tag {
	n := len(h)
	for n > 1 && h[n-1].since.After(at) {
		n--
	}
	if stale && n > 1 {
		n--
	}
	return h[:n].latest()
}
