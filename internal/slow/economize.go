package slow

import (
	"os"
	"runtime/debug"
	"strconv"
)

// gcPercent is the growth of a heap, in percent, after which its garbage is collected. The heaps
// of tests and of the processes that they start are small, and most of those processes end within
// a second: with Go's 100 they collect several times, with 1000 rarely.
const gcPercent = 1000

// Economize makes this process, and those that it starts from now on, take less processor time.
// It is for the TestMain of tests that start Terraform.
func Economize() error {
	debug.SetGCPercent(gcPercent)
	for name, value := range map[string]string{
		"GOGC": strconv.Itoa(gcPercent),
		// Else Terraform and each provider that it starts make a key and a certificate for their connection.
		"TF_DISABLE_PLUGIN_TLS": "1",
		// Else a process with the race detector sleeps for a second before it exits.
		"GORACE": os.Getenv("GORACE") + " " + noSleep,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// noSleep is the option of the race detector without which a process sleeps for a second before it exits.
const noSleep = "atexit_sleep_ms=0"
