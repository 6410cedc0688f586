package slow

import (
	"testing"
	"time"
)

func TestScale(t *testing.T) {
	for _, c := range []struct {
		took time.Duration
		want float64
	}{
		{0, 1},
		{samples * reference / 2, 1},
		{samples * reference, 1},
		{samples * reference * 5, 5},
		{time.Hour, maxFactor},
	} {
		if got := scale(c.took); got != c.want {
			t.Errorf("%s: got %v, want %v", c.took, got, c.want)
		}
	}
}

func TestDeadline_isMeasuredOnce(t *testing.T) {
	first := Deadline(time.Minute)
	if first < time.Minute || first > maxFactor*time.Minute {
		t.Errorf("got %s", first)
	}
	if again := Deadline(time.Minute); again != first {
		t.Errorf("got %s, then %s", first, again)
	}
	t.Logf("this machine: factor %.1f", factor())
}

func TestExceeds(t *testing.T) {
	if Exceeds(time.Minute, time.Minute) {
		t.Error("a minute exceeds a minute")
	}
	if !Exceeds((maxFactor+1)*time.Minute, time.Minute) {
		t.Error("no machine is that slow")
	}
}
