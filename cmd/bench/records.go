package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// records counts the API calls of a release with and without the record of the shift.
func (b bench) records(ctx context.Context) ([]row, error) {
	var rows []row
	for _, n := range []int{1, routes} {
		with, err := releaseCalls(ctx, n, false)
		if err != nil {
			return nil, err
		}
		without, err := releaseCalls(ctx, n, true)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{
			what:     fmt.Sprintf("API calls of a release (5 %%, 50 %%, 100 %%, without renewals and health), routes: %d, with the record of the shift; without it", n),
			goal:     "the same apart from tags",
			measured: fmt.Sprintf("%s; %s", callsText(with), callsText(without)),
			missed:   with["ModifyListener"] != without["ModifyListener"] || without["AddTags"]+without["RemoveTags"]+without["DescribeTags"] > 0,
		})
	}
	return rows, nil
}

// releaseCalls returns the number of calls of each action in a release.
func releaseCalls(ctx context.Context, routes int, off bool) (map[string]int, error) {
	l, err := newLoopbackOf(ctx, routes, stepHold)
	if err != nil {
		return nil, err
	}
	defer l.close()
	l.spec.Record.Off = off
	l.spec.Request.Strategy.Steps = []shift.Step{{At: 50, Hold: stepHold}, {At: 500, Hold: stepHold}}
	l.spec.Request.Strategy.Settle = stepHold
	remove := func(context.Context) error { return nil }
	l.spec.Record.Later = func(_ []string, do func(context.Context) error) { remove = do } // as the provider does
	before := len(l.balancer.Calls())
	if _, err := rollout.Run(ctx, l.spec); err != nil {
		return nil, err
	}
	if err := remove(ctx); err != nil {
		return nil, err
	}
	calls := map[string]int{}
	for _, c := range l.balancer.Calls()[before:] {
		if c.Action != "DescribeTargetHealth" { // as many as the holds are long
			calls[c.Action]++
		}
	}
	return calls, nil
}

// callsText is "AddTags 5, ModifyListener 4".
func callsText(calls map[string]int) string {
	var parts []string
	for _, action := range slices.Sorted(maps.Keys(calls)) {
		parts = append(parts, fmt.Sprintf("%s %d", action, calls[action]))
	}
	return strings.Join(parts, ", ")
}
