package report

import (
	"bytes"
	"os"
	"path/filepath"
)

// The environment variables of reports.
const (
	// DirVariable is that for the argument report_dir of the provider.
	DirVariable = "BLUEGREEN_REPORT_DIR"
	// JournalsVariable has the path of a file to which the provider appends the path of every
	// journal before it writes it. Who sets it follows the journals, and writes the summary of the
	// job.
	JournalsVariable = "BLUEGREEN_JOURNALS"
)

// Announce appends the path of a journal to a file that exists.
func Announce(file, journal string) error {
	path, err := filepath.Abs(journal)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, fileMode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(path + "\n")
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Announced returns the journals that were announced in a file, each once.
func Announced(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []string
	seen := map[string]bool{}
	for line := range bytes.Lines(text) {
		path, complete := bytes.CutSuffix(line, []byte("\n"))
		if complete && !seen[string(path)] {
			seen[string(path)] = true
			all = append(all, string(path))
		}
	}
	return all, nil
}
