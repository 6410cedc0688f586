package proc

import (
	"os"
	"os/signal"
)

// Discard receives signals and does nothing with them, so that they do not end the
// process. An ignored signal (signal.Ignore) would not either, but exec passes ignored
// signals on: the programs that this process starts could not be stopped by them, and a
// shell could not trap them. A signal with a handler has its default in a started program.
//
// With SIGPIPE, a write to a closed standard output or standard error returns EPIPE
// instead of ending the process.
func Discard(signals ...os.Signal) {
	// Nothing reads the channel. os/signal drops what does not fit into it.
	signal.Notify(make(chan os.Signal, 1), signals...)
}
