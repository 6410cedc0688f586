package traffic_test

import (
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

func TestLimits_encode(t *testing.T) {
	tests := []struct {
		weight  int
		weights shift.Weights
		want    map[string]int
	}{
		{999, shift.Weights{"blue": 950, "green": 50}, map[string]int{"blue": 95, "green": 5}},
		{999, shift.Weights{"blue": 999, "green": 1}, map[string]int{"blue": 999, "green": 1}},
		{999, shift.Weights{"blue": 1000, "green": 0}, map[string]int{"blue": 100, "green": 0}},
		{999, shift.Weights{"blue": 875, "green": 125}, map[string]int{"blue": 875, "green": 125}},
		{999, nil, map[string]int{}},
		{255, shift.Weights{"blue": 950, "green": 50}, map[string]int{"blue": 95, "green": 5}},
		{255, shift.Weights{"blue": 875, "green": 125}, map[string]int{"blue": 7, "green": 1}},
		{255, shift.Weights{"blue": 996, "green": 4}, map[string]int{"blue": 249, "green": 1}},
		{255, shift.Weights{"blue": 999, "green": 1}, map[string]int{"blue": 255, "green": 1}},
		{255, shift.Weights{"blue": 333, "green": 333, "red": 334, "gray": 0}, map[string]int{"blue": 254, "green": 254, "red": 255, "gray": 0}},
		{1, shift.Weights{"blue": 1000, "green": 0}, map[string]int{"blue": 1, "green": 0}},
	}
	for _, tt := range tests {
		if got := (traffic.Limits{Weight: tt.weight}).Encode(tt.weights); !maps.Equal(got, tt.want) {
			t.Errorf("%v with weights up to %d: got %v, want %v", tt.weights, tt.weight, got, tt.want)
		}
	}
}

func TestLimits_exactFrom999(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.IntRange(0, 1000).Draw(t, "first")
		second := rapid.IntRange(0, 1000-first).Draw(t, "second")
		w := shift.Weights{"blue": shift.Share(first), "green": shift.Share(second), "red": shift.Share(1000 - first - second)}
		limit := rapid.SampledFrom([]int{999, 1_000_000}).Draw(t, "limit")
		raw := traffic.Limits{Weight: limit}.Encode(w)
		for name, n := range raw {
			if n < 0 || n > limit || (n == 0) != (w[name] == 0) {
				t.Fatalf("%v: weight %d for %s", w, n, w[name])
			}
		}
		if got := shift.FromRaw(raw); !got.Equal(w) {
			t.Fatalf("%v is written as %v and read as %v", w, raw, got)
		}
	})
}

// With the weights of Route 53, shares of two environments are exact from 0.4 to 99.6 %.
func TestLimits_expressPairs(t *testing.T) {
	l := traffic.Limits{Weight: 255}
	for share := range shift.Full + 1 {
		w := shift.Weights{"blue": shift.Full - share, "green": share}
		nearest, exact := l.Express(w)
		if want := share == 0 || share == shift.Full || share >= 4 && share <= shift.Full-4; exact != want {
			t.Errorf("%s: exact %t, nearest %s", w, exact, nearest)
		}
	}
	if nearest, _ := l.Express(shift.Weights{"blue": 998, "green": 2}); nearest.String() != "blue 99.6 %, green 0.4 %" {
		t.Errorf("nearest to 0.2 %% is %s", nearest)
	}
}
