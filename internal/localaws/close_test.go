package localaws_test

import (
	"runtime"
	"strings"
)

// stacks returns the stacks of goroutines in localaws and its packages.
func stacks() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var ours []string
	for _, g := range strings.Split(string(buf), "\n\n") {
		if strings.Contains(g, "/internal/localaws.") || strings.Contains(g, "/internal/localaws/") {
			ours = append(ours, g)
		}
	}
	return strings.Join(ours, "\n\n")
}

func goroutines() int { return strings.Count(stacks(), "goroutine ") }
