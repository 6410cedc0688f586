package lambda

import (
	"slices"
	"strconv"
)

// publish adds a version with what $LATEST is, unless nothing has changed from the last one.
func (f *function) publish(c *call, description string) *version {
	if n := len(f.versions); n > 0 && f.versions[n-1].revision == f.latest.revision {
		return f.versions[n-1]
	}
	next := *f.latest
	f.last++
	next.number, next.modified, next.activeAt = strconv.Itoa(f.last), c.now, c.now.Add(c.opts.Activation)
	if description != "" {
		next.description = description
	}
	f.versions = append(f.versions, &next)
	return &next
}

func publishVersion(c *call, in struct {
	FunctionName, CodeSha256, Description, RevisionId string
}) (any, error) {
	f, t, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := onlyLatest(t); err != nil {
		return nil, err
	}
	switch {
	case in.RevisionId != "" && in.RevisionId != f.latest.revision:
		return nil, stale()
	case in.CodeSha256 != "" && in.CodeSha256 != f.latest.digest:
		return nil, invalid("CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try again with the CodeSHA256 in $LATEST.", in.CodeSha256, f.latest.digest)
	}
	f = c.state.change(t.key)
	return created(f.configuration(f.publish(c, in.Description), c.now)), nil
}

// page is the input of the actions that list.
type page struct {
	FunctionName, FunctionVersion string
	Marker, MaxItems              string
}

const maxItems = 50

// cut returns a page of a list and the marker of the next one; empty: there is none.
func cut[T any](all []T, p page) ([]T, string) {
	from, _ := strconv.Atoi(p.Marker) // an invalid marker begins at the start
	n, err := strconv.Atoi(p.MaxItems)
	if err != nil || n < 1 || n > maxItems {
		n = maxItems
	}
	from = min(max(from, 0), len(all))
	to := min(from+n, len(all))
	if to == len(all) {
		return all[from:], ""
	}
	return all[from:to], strconv.Itoa(to)
}

type listedVersions struct {
	Versions   []configuration
	NextMarker string `json:",omitempty"`
}

func listVersions(c *call, in page) (any, error) {
	f, _, err := c.find(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	var all []configuration
	for _, v := range slices.Concat([]*version{f.latest}, f.versions) {
		shown := f.configuration(v, c.now)
		shown.FunctionArn = f.arn + ":" + v.number
		all = append(all, shown)
	}
	some, next := cut(all, in)
	return listedVersions{some, next}, nil
}
