package gate

import (
	"math"
	"testing"
)

func TestLimits_formatKeepsTheSideOfTheLimit(t *testing.T) {
	tenths := 0.1 // at run time: the compiler would add exactly
	tenths += 0.2
	for _, tt := range []struct {
		l     limits
		value float64
		want  string
	}{
		{limits{max: new(5.0)}, 4.9999999, "5"},
		{limits{max: new(5.0)}, 5.0000001, "5.0000001"},
		{limits{max: new(5.0)}, 5, "5"},
		{limits{max: new(5.0)}, tenths, "0.3"},
		{limits{min: new(0.3)}, tenths, "0.3"},
		{limits{max: new(0.3)}, tenths, "0.30000000000000004"},
		{limits{max: new(5.0)}, 1234567.891, "1234568"},
		{limits{max: new(1234567.5)}, 1234567.6, "1234568"},
		{limits{max: new(1234567.9)}, 1234567.6, "1234567.6"},
		{limits{max: new(5.0)}, 0.00000012345678, "1.23457e-07"},
		{limits{max: new(5.0)}, 1e20, "1e+20"},
		{limits{max: new(5.0)}, math.Inf(1), "+Inf"},
		{limits{max: new(5.0)}, math.NaN(), "NaN"},
		{limits{max: new(5.0)}, math.Copysign(0, -1), "-0"},
	} {
		if got := tt.l.number(tt.value); got != tt.want {
			t.Errorf("%v with limits %s: got %s, want %s", tt.value, tt.l, got, tt.want)
		}
	}
}
