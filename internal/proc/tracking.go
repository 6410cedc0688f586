package proc

import (
	"slices"
	"strings"
)

// trackingVariables are the environment variables by which CI systems find the processes of a
// job, to kill them when it ends.
var trackingVariables = []string{"RUNNER_TRACKING_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "HUDSON_SERVER_COOKIE", "BUILD_ID"}

// Untracked returns an environment without the variables by which CI systems find the processes
// of a job, except for those that keep names.
func Untracked(environ []string, keep ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(trackingVariables, name) && !slices.Contains(keep, name)
	})
}
