package guardian

import (
	"net"
	"os/exec"
	"testing"
)

func TestDropProgram_goesOn(t *testing.T) {
	// Where the race detector links the C library, its loader has written to pages that are read-only afterward.
	dropProgram()
	if _, err := net.LookupHost("localhost"); err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(t.Context(), "true").Run(); err != nil {
		t.Fatal(err)
	}
	dropProgram()
}
