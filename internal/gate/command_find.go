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

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate/program"
)

// find returns the path of the program. A name without a separator is searched for
// in the PATH that the program will have; one with a separator is relative to the
// working directory.
func (c Command) find(deps Dependencies) (string, error) {
	dir, err := filepath.Abs(c.WorkingDir) // empty: that of this process
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("working_dir %s cannot be used: %w", dir, cause(err))
	} else if !info.IsDir() {
		return "", fmt.Errorf("working_dir %s is not a directory", dir)
	}
	name := c.Argv[0]
	if filepath.Base(name) == name {
		return c.findInPath(name, deps)
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s cannot be run: %w", name, cause(err))
	}
	return path, nil
}

// findInPath skips directories that are not absolute, as os/exec does: their meaning
// depends on the working directory.
func (c Command) findInPath(name string, deps Dependencies) (string, error) {
	path := lookupEnv(c.baseEnvironment(deps), "PATH")
	var denied error
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		file, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil {
			return file, nil
		}
		if denied == nil && errors.Is(err, fs.ErrPermission) {
			denied = fmt.Errorf("%s cannot be run: %w", filepath.Join(dir, name), cause(err))
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", fmt.Errorf("%s not found in PATH (%q)", name, path)
}

// runnable returns why the system cannot run the file that was found; nil if it probably can.
func (c Command) runnable(path string, deps Dependencies) error {
	return program.Place{Dir: c.WorkingDir, Find: func(name string) error {
		_, err := c.findInPath(name, deps)
		return err
	}}.Runnable(path)
}

// cause returns an error without the path that it repeats.
func cause(err error) error {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return err
}

// baseEnvironment returns the environment without the input of the gate.
func (c Command) baseEnvironment(deps Dependencies) []string {
	env := []string{}
	if deps.Environ != nil {
		env = deps.Environ()
	}
	for name, value := range c.Env {
		env = append(env, name+"="+value)
	}
	return env
}

// lookupEnv returns a variable as a program reads it: the last entry wins, and
// Windows ignores the case of names.
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
