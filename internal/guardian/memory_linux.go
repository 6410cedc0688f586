package guardian

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dropProgram takes the pages of the program out of the memory of this process. All parts of the provider start
// with it, and a guardian uses hardly any of them. The kernel maps a page again once it is used: those of a
// program are read-only and belong to its file.
func dropProgram() {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return // it costs memory only
	}
	defer func() { _ = maps.Close() }()
	lines := bufio.NewScanner(maps)
	for lines.Scan() { // 00400000-01a2b000 r-xp 00000000 fe:00 1234 /path
		fields := strings.Fields(lines.Text())
		var from, to uintptr
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &from, &to); err != nil || !ofProgram(fields) {
			continue
		}
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
	}
}

// ofProgram reports whether a mapping has read-only pages of a file.
func ofProgram(fields []string) bool {
	return len(fields) > 5 && strings.HasPrefix(fields[5], "/") && (fields[1] == "r-xp" || fields[1] == "r--p")
}
