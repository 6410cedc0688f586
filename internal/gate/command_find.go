package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// find returns where the program is: a name without a separator is looked for in
// the folders of PATH, as the program will see PATH; one with a separator from
// the folder that it runs in.
func (c Command) find(means Dependencies) (string, error) {
	dir, err := filepath.Abs(c.WorkingDir) // of an empty one: where this process runs
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("the working_dir %s cannot be used: %w", dir, cause(err))
	} else if !info.IsDir() {
		return "", fmt.Errorf("the working_dir %s is no folder", dir)
	}
	program := c.Argv[0]
	if filepath.Base(program) == program {
		return c.findInPath(program, means)
	}
	if !filepath.IsAbs(program) {
		program = filepath.Join(dir, program)
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("%s cannot be run: %w", program, cause(err))
	}
	return found, nil
}

// findInPath passes over folders that are not absolute, as os/exec does: what
// they mean depends on where somebody stands.
func (c Command) findInPath(program string, means Dependencies) (string, error) {
	path := lookupEnv(c.baseEnvironment(means), "PATH")
	var denied error
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		found, err := exec.LookPath(filepath.Join(dir, program))
		if err == nil {
			return found, nil
		}
		if denied == nil && errors.Is(err, fs.ErrPermission) {
			denied = fmt.Errorf("%s cannot be run: %w", filepath.Join(dir, program), cause(err))
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("%s is in no folder of PATH, %q", program, path)
}

// cause is an error without the path that it repeats.
func cause(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err
}

// baseEnvironment is the environment without what the gate tells of the shift.
func (c Command) baseEnvironment(means Dependencies) []string {
	env := []string{}
	if means.Environ != nil {
		env = means.Environ()
	}
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// lookupEnv finds a variable as a program would: the last one counts, and on Windows
// the case of a name does not.
func lookupEnv(env []string, name string) string {
	value := ""
	for _, entry := range env {
		key, text, _ := strings.Cut(entry, "=")
		if key == name || runtime.GOOS == "windows" && strings.EqualFold(key, name) {
			value = text
		}
	}
	return value
}
