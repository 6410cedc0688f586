package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The modes of what is written: a journal names hosts, routes and responses.
const (
	folderMode = 0o700
	fileMode   = 0o600
)

// file is what a journal is written to.
type file interface {
	io.Writer
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
	Sync() error
	Close() error
}

// journal writes the lines of a shift. After an error it keeps what was not written, and tries
// again with the next line: a full disk may have room again.
type journal struct {
	open    func() (file, error)
	file    file
	size    int64  // of what is written completely
	pending []byte // what is not
	err     error  // of the last attempt; nil: everything is written and synced
}

// maxPending limits what a journal keeps in memory while it cannot be written.
const maxPending = 16 << 20

var errTooMuch = errors.New("the disk is too slow or full")

// openNew creates a file and its folder.
func openNew(path string) (file, error) {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	syncFolder(filepath.Dir(path)) // otherwise a crash can lose the name of the file
	return f, nil
}

// reopen continues a file of another process after so many bytes, which are complete lines.
func (j *journal) reopen(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	j.file, j.size = f, size
	return j.rewind()
}

// syncFolder syncs the names in a folder where the system can do that.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
}

// write writes lines and syncs them.
func (j *journal) write(lines []byte) {
	if len(j.pending)+len(lines) > maxPending {
		j.err = errTooMuch
		return
	}
	j.pending = append(j.pending, lines...)
	j.err = j.flush()
}

func (j *journal) flush() error {
	if len(j.pending) == 0 {
		return nil
	}
	if j.file == nil {
		f, err := j.open()
		if err != nil {
			return err
		}
		j.file = f
	}
	if j.err != nil { // a part of a line may have been written
		if err := j.rewind(); err != nil {
			return err
		}
	}
	if _, err := j.file.Write(j.pending); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(len(j.pending))
	j.pending = j.pending[:0]
	return nil
}

// rewind removes what was written after the last complete line.
func (j *journal) rewind() error {
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	_, err := j.file.Seek(j.size, io.SeekStart)
	return err
}

// close makes a last attempt and closes the file.
func (j *journal) close() error {
	if j.err != nil && j.flush() == nil {
		j.err = nil
	}
	if j.file == nil {
		return j.err
	}
	if err := j.file.Close(); j.err == nil && err != nil {
		j.err = err
	}
	return j.err
}

// WriteFile writes a page or a summary to a file that only this user reads. What is no regular file,
// such as a pipe, is written to.
func WriteFile(path string, content []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, content, fileMode)
	}
	return writeFile(path, content)
}

// writeFile replaces a file, so that a reader sees the old or the new one.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
