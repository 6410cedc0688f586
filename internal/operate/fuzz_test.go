package operate

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzState reads what is given as a state: it has a switch, or the error says what to use instead.
func FuzzState(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"version":4,"resources":[{"mode":"managed","type":"bluegreen_switch","name":"web","instances":[{"attributes":{"load_balancer":[{"routes":{"web":["x"]}}],"environments":{"blue":{"target_groups":{"web":"y"}}}}}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, addresses, err := readState(bytes.NewReader(text))
		switch {
		case err == nil && (len(addresses) == 0 || len(found.switches) != len(addresses)):
			t.Errorf("%d switches at %v", len(found.switches), addresses)
		case err != nil:
			if p, is := errors.AsType[*Problem](err); !is || p.Action == "" {
				t.Errorf("got %v", err)
			}
		}
	})
}
