package slow

import (
	"testing"
	"time"
)

func TestMeasure(t *testing.T) {
	for range 8 {
		b := time.Now()
		work()
		t.Log(time.Since(b))
	}
}
