package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// printer prints the progress of a scenario.
type printer struct{ out io.Writer }

func (v printer) say(format string, args ...any) { _, _ = fmt.Fprintf(v.out, format+"\n", args...) }

// buffer holds the output of a scenario that runs in the background until it can be
// printed.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (k *buffer) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *buffer) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}
