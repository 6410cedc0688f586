package main

import (
	"context"
	"fmt"
	"math"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// choice counts the requests per target group under weights that do not divide 10,000.
func (b bench) choice(context.Context) ([]row, error) {
	const requests = 10_000
	worst := 0.0
	for _, weights := range [][]int{{95, 5}, {999, 1}, {1, 2}, {33, 33, 34}, {7, 11, 13, 17, 19}, {50, 50}} {
		counts, chooser := make([]int, len(weights)), dataplane.NewChooser(weights)
		for range requests {
			counts[chooser.Next()]++
		}
		sum := 0
		for _, w := range weights {
			sum += w
		}
		for i, w := range weights {
			worst = max(worst, math.Abs(float64(counts[i])-float64(requests*w)/float64(sum)))
		}
	}
	return []row{{
		what:     "localaws weighted routing: largest deviation from the exact share in 10,000 requests, six sets of weights",
		goal:     "within 1",
		measured: fmt.Sprintf("%.2f", worst),
		missed:   worst > 1,
	}}, nil
}
