package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// voice is where an act tells what happens.
type voice struct{ out io.Writer }

func (v voice) say(format string, args ...any) { _, _ = fmt.Fprintf(v.out, format+"\n", args...) }

// kept holds what an act says that is played beside others, until it is its
// turn to be read.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}
