// Package slow lets tests pass on slow machines. It scales their deadlines by how slow the
// machine is: a deadline in a test ends a hang and names what hung; it never measures speed.
// So that a busy machine meets it too, the factor is measured, once per process. And it makes
// the processes that tests start take less of the machine.
package slow

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"sync"
	"time"
)

// The factor is at least 1. Its limit keeps a hang from lasting for hours.
const maxFactor = 20

// reference is the time that the work of a sample takes on an idle machine with two
// cores of 2024, with the race detector.
const reference = 25 * time.Millisecond

// samples is the number of samples. Their sum counts, because a busy machine delays some
// of them and not others.
const samples = 5

// Deadline returns d multiplied by the slowness of the machine. It must not be called
// in a testing/synctest bubble, where time is not real and a deadline needs no scaling.
func Deadline(d time.Duration) time.Duration {
	return time.Duration(float64(d) * factor())
}

// Exceeds reports whether something took longer than its limit, which is for an idle machine. Where it did, the
// machine is measured again: it may have become busy after the first measurement.
func Exceeds(took, limit time.Duration) bool {
	return took > Deadline(limit) && took > time.Duration(float64(limit)*measure())
}

var factor = sync.OnceValue(measure)

// measure returns how many times slower than the reference the machine is at present.
func measure() float64 {
	began := time.Now()
	for range samples {
		work()
	}
	return scale(time.Since(began))
}

// scale returns the factor for the time that all samples took.
func scale(took time.Duration) float64 {
	return min(max(1, float64(took)/float64(samples*reference)), maxFactor)
}

// work is what tests spend their time on: computing, and starting a process. The process
// is this test binary, which lists no tests.
func work() {
	block := make([]byte, 1<<16)
	for range 256 {
		sum := sha256.Sum256(block)
		copy(block, sum[:])
	}
	if self, err := os.Executable(); err == nil {
		lists := exec.Command(self, "-test.list=^$")
		lists.Env = append(os.Environ(), "GORACE="+noSleep)
		_ = lists.Run()
	}
}
