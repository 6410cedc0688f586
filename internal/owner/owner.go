// Package owner identifies the process that runs a shift, for the record of the shift.
package owner

import (
	"os"
	"os/user"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// runVariables are the environment variables in which CI systems have the URL of a run.
var runVariables = []string{"CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"}

// New returns the owner of what this process does. lookup reads one environment variable.
func New(lookup func(string) (string, bool)) traffic.Owner {
	id := proc.Self()
	o := traffic.Owner{Boot: id.Boot, PID: id.PID, Start: id.Start, Run: run(lookup)}
	o.Host, _ = os.Hostname()
	if u, err := user.Current(); err == nil {
		o.User = u.Username
	}
	return o
}

// run returns the URL of the CI run; empty where there is none.
func run(lookup func(string) (string, bool)) string {
	text := func(name string) string { value, _ := lookup(name); return value }
	if id := text("GITHUB_RUN_ID"); id != "" {
		return text("GITHUB_SERVER_URL") + "/" + text("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	for _, name := range runVariables {
		if url := text(name); url != "" {
			return url
		}
	}
	return ""
}

// Guardian returns the owner of what this process takes over as a guardian.
func Guardian(lookup func(string) (string, bool)) traffic.Owner {
	o := New(lookup)
	o.Guardian = traffic.Process{PID: o.PID, Start: o.Start}
	return o
}

// Abandoned reports whether the processes of an owner and of its guardian have ended, and false
// for known where that is not known here.
func Abandoned(o traffic.Owner) (abandoned, known bool) {
	ended, known := proc.Identity{Boot: o.Boot, PID: o.PID, Start: o.Start}.Ended()
	return ended && !runsGuardian(o), known
}

// IsGuarded reports whether the process of an owner is known to have ended, and its guardian is
// about to return the traffic.
func IsGuarded(o traffic.Owner) bool {
	ended, known := proc.Identity{Boot: o.Boot, PID: o.PID, Start: o.Start}.Ended()
	return known && (ended || o.PID == o.Guardian.PID) && runsGuardian(o)
}

func runsGuardian(o traffic.Owner) bool {
	if o.Guardian.PID == 0 {
		return false
	}
	ended, known := proc.Identity{Boot: o.Boot, PID: o.Guardian.PID, Start: o.Guardian.Start}.Ended()
	return known && !ended
}
