package elbv2

import (
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/wire"
)

const (
	maxPerCall  = 20  // maximum number of ARNs or names in a Describe call
	maxPageSize = 400 // also the default page size
)

func checkDescribeCount(n int, what string) error {
	if n > maxPerCall {
		return wire.ValidationError("You cannot describe more than '%d' %s at a time", maxPerCall, what)
	}
	return nil
}

// matchesFilter reports whether a filter accepts a value. An empty filter accepts everything.
func matchesFilter(filter []string, value string) bool {
	return len(filter) == 0 || slices.Contains(filter, value)
}

func distinct(values []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(values))))
}

func mapTo[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

// paginate returns the requested page and the marker of the next one, "" on the last page.
func paginate[T any](c *call, all []T) ([]T, string, error) {
	size, err := c.Number("PageSize", 1, maxPageSize)
	if err != nil {
		return nil, "", err
	}
	start := 0
	if marker := c.Text("Marker"); marker != "" {
		raw, err := base64.URLEncoding.DecodeString(marker)
		if err != nil {
			return nil, "", wire.ValidationError("The marker '%s' is not valid", marker)
		}
		if start, err = strconv.Atoi(string(raw)); err != nil || start < 0 {
			return nil, "", wire.ValidationError("The marker '%s' is not valid", marker)
		}
	}
	if size == nil {
		size = new(maxPageSize)
	}
	start = min(start, len(all))
	end := min(start+*size, len(all))
	if end == len(all) {
		return all[start:end], "", nil
	}
	return all[start:end], base64.URLEncoding.EncodeToString([]byte(strconv.Itoa(end))), nil
}
