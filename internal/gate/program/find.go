package program

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

// Place is where a program is run.
type Place struct {
	Dir         string   // the working directory; empty: that of this process
	Environment []string // that of the program, as "NAME=value"; its PATH is searched
}

// Find returns the path of a program. A name without a separator is searched for in PATH; one with
// a separator is relative to the working directory.
func (p Place) Find(name string) (string, error) {
	dir, err := filepath.Abs(p.Dir) // empty: that of this process
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("working_dir %s cannot be used: %w", dir, cause(err))
	} else if !info.IsDir() {
		return "", fmt.Errorf("working_dir %s is not a directory", dir)
	}
	if filepath.Base(name) == name {
		return p.findInPath(name)
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
func (p Place) findInPath(name string) (string, error) {
	path := lookup(p.Environment, "PATH")
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

// lookup returns a variable as a program reads it: the last entry wins, and
// Windows ignores the case of names.
func lookup(env []string, name string) string {
	value := ""
	for _, entry := range env {
		key, text, _ := strings.Cut(entry, "=")
		if key == name || runtime.GOOS == "windows" && strings.EqualFold(key, name) {
			value = text
		}
	}
	return value
}
