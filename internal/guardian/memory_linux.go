package guardian

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// mapping is a range of addresses of this process.
type mapping struct {
	from, to uintptr
	ofFile   bool // its pages are of a file, and it does not write to them
}

// dropProgram takes the pages of the program out of the memory of this process. All parts of the provider start
// with it, and a guardian uses hardly any of them. The kernel maps such a page again from its file once it is used.
// Pages that were ever written to are not in the file, although they may be read-only by now, as those that the
// loader of the C library has relocated: a mapping with any of them stays.
func dropProgram() {
	smaps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return // it costs memory only
	}
	defer func() { _ = smaps.Close() }()
	var now mapping
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if next, ok := header(fields); ok {
			now = next
			continue
		}
		if now.ofFile && strings.Join(fields, " ") == "Anonymous: 0 kB" {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, now.from, now.to-now.from, syscall.MADV_DONTNEED)
		}
	}
}

// header reads the first line of a mapping: 00400000-01a2b000 r-xp 00000000 fe:00 1234 /path.
func header(fields []string) (mapping, bool) {
	var m mapping
	if len(fields) < 5 {
		return m, false
	}
	if _, err := fmt.Sscanf(fields[0], "%x-%x", &m.from, &m.to); err != nil {
		return m, false
	}
	m.ofFile = len(fields) > 5 && strings.HasPrefix(fields[5], "/") && (fields[1] == "r-xp" || fields[1] == "r--p")
	return m, true
}
