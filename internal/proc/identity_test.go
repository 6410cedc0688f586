package proc_test

import (
	"os/exec"
	"runtime"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

func TestIdentity_ended(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processes are identified on Linux only")
	}
	self := proc.Self()
	if ended, known := self.Ended(); ended || !known {
		t.Errorf("this process: ended %t, known %t", ended, known)
	}
	child := exec.CommandContext(t.Context(), "true")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	gone := self
	gone.PID = child.Process.Pid
	if ended, known := gone.Ended(); !ended || !known {
		t.Errorf("a process that has ended: ended %t, known %t", ended, known)
	}
	again := self
	again.Start = "1"
	if ended, known := again.Ended(); !ended || !known {
		t.Errorf("an earlier process with the PID: ended %t, known %t", ended, known)
	}
	for _, other := range []proc.Identity{{Boot: "0123456789ab", PID: self.PID}, {PID: self.PID}, {Boot: self.Boot}} {
		if _, known := other.Ended(); known {
			t.Errorf("%+v: known", other)
		}
	}
}
