package proc

import "os"

// Identity identifies a process of one machine, also after a restart of the machine.
type Identity struct {
	// Boot identifies a run of the operating system and, where processes have namespaces,
	// the one of this process: only within it the same PID is the same process. Empty:
	// unknown.
	Boot string
	PID  int
	// Start is when the process began, in units of the system: a PID is used again. Empty:
	// unknown.
	Start string
}

// Self returns the identity of this process.
func Self() Identity {
	return Identity{Boot: boot(), PID: os.Getpid(), Start: started(os.Getpid())}
}

// Ended reports whether a process has ended. It returns false for known where the process
// is not one that this process can see: of another machine or container, or from before a
// restart.
func (id Identity) Ended() (ended, known bool) {
	if id.Boot == "" || id.PID <= 0 || id.Boot != boot() {
		return false, false
	}
	if !Running(id.PID) {
		return true, true
	}
	now := started(id.PID)
	return id.Start != "" && now != "" && id.Start != now, true
}
