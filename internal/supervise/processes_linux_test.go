package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processes are those of a job that have not ended.
func (j *job) processes() (all []int) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if cwd, err := os.Readlink(folder + "/cwd"); err == nil && cwd == j.dir {
			pid, _ := strconv.Atoi(filepath.Base(folder))
			all = append(all, pid)
		}
	}
	return all
}

func commandLine(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.ReplaceAll(string(line), "\x00", " ")
}

// environOf returns the environment of a process.
func environOf(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return string(text)
}

// field returns a field of /proc/PID/stat after the name, from 0: state, parent, group, session.
func field(pid, n int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if n >= len(fields) {
		return ""
	}
	return fields[n]
}
