// Package program finds the program of a command, finds out without running it whether the system
// can run it (its interpreter, its format and its loader), and keeps the end of what it prints.
package program

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// maxInterpreterLine is how many bytes of a file Linux reads for the line that names its
// interpreter.
const maxInterpreterLine = 256

// useInterpreter is the way out for a file that the system cannot run by itself.
const useInterpreter = `; begin it with a line such as #!/bin/sh, or name its interpreter in argv, such as ["sh", "check.sh"]`

// Runnable returns why the system cannot run a file, as far as its beginning shows: the line
// that names its interpreter, or the format of a program. A file that cannot be read may be
// run nevertheless.
func (p Place) Runnable(path string) error {
	if runtime.GOOS == "windows" { // decides by the extension
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // execute permission suffices
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, maxInterpreterLine)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil
	}
	if head = head[:n]; bytes.HasPrefix(head, []byte("#!")) {
		if err := p.checkInterpreter(string(head)); err != nil {
			return fmt.Errorf("%s cannot be run: %w", path, err)
		}
		return nil
	}
	if runtime.GOOS != "linux" || hasBinaryFormats() {
		return nil
	}
	if err := checkFormat(head, file); err != nil {
		return fmt.Errorf("%s cannot be run: %w", path, err)
	}
	return nil
}

// checkInterpreter checks the interpreter of a script by the beginning of its text.
func (p Place) checkInterpreter(head string) error {
	line, _, complete := strings.Cut(strings.TrimPrefix(head, "#!"), "\n")
	if !complete && len(head) == maxInterpreterLine {
		return nil // the rest of the line is not known
	}
	if strings.HasSuffix(line, "\r") {
		return fmt.Errorf("its first line ends in CR LF, and the CR becomes a part of the interpreter's name or argument (%q); save the file with LF line ends", "#!"+line)
	}
	words := strings.Fields(line)
	if len(words) == 0 {
		return errors.New("its first line begins with #! but names no interpreter")
	}
	interpreter := words[0]
	if !filepath.IsAbs(interpreter) {
		interpreter = filepath.Join(p.Dir, interpreter)
	}
	if info, err := os.Stat(interpreter); err != nil {
		return fmt.Errorf("its interpreter %s cannot be used: %w", interpreter, cause(err))
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("its interpreter %s is not an executable file", interpreter)
	}
	if filepath.Base(interpreter) != "env" {
		return nil
	}
	program := programOfEnv(words[1:])
	if program == "" || filepath.Base(program) != program {
		return nil
	}
	if _, err := p.findInPath(program); err != nil {
		return fmt.Errorf("its interpreter: %w", err)
	}
	return nil
}

// programOfEnv returns the program that env runs; empty if that is not plain to see.
func programOfEnv(words []string) string {
	if len(words) > 0 && words[0] == "-S" {
		words = words[1:]
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "-") || strings.ContainsAny(words[0], `='"\$`) {
		return ""
	}
	return words[0]
}

// checkFormat checks the format of a program on Linux.
func checkFormat(head []byte, file io.ReaderAt) error {
	switch {
	case len(head) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf#!")):
		return errors.New("a byte order mark (BOM) precedes its #! line; save the file without one")
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)) && len(head) >= 20:
		return checkELF(head, file)
	case bytes.HasPrefix(head, []byte("MZ")):
		return errors.New("it is a program for Windows")
	case bytes.HasPrefix(head, []byte("\xcf\xfa\xed\xfe")), bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")):
		return errors.New("it is a program for macOS or a Java class")
	}
	return errors.New("it is neither a program nor a script with a #! line" + useInterpreter)
}

// machines returns the machines whose programs may run where this program runs; nil if that
// is not known.
func machines(goarch string) []elf.Machine {
	switch goarch {
	case "amd64", "386":
		return []elf.Machine{elf.EM_X86_64, elf.EM_386}
	case "arm64", "arm":
		return []elf.Machine{elf.EM_AARCH64, elf.EM_ARM}
	default:
		return nil
	}
}

func checkELF(head []byte, file io.ReaderAt) error {
	machine := elf.Machine(uint16(head[18]) | uint16(head[19])<<8)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		machine = elf.Machine(uint16(head[19]) | uint16(head[18])<<8)
	}
	if known := machines(runtime.GOARCH); known != nil && !slices.Contains(known, machine) {
		return fmt.Errorf("it is a program for another processor (%s) than this machine's (%s)", strings.TrimPrefix(machine.String(), "EM_"), runtime.GOARCH)
	}
	program, err := elf.NewFile(file)
	if err != nil {
		return nil //nolint:nilerr // Linux needs less of the file than this parser
	}
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP || segment.Filesz > maxInterpreterLine {
			continue
		}
		text, err := io.ReadAll(segment.Open())
		loader := strings.TrimRight(string(text), "\x00")
		if _, statErr := os.Stat(loader); err == nil && errors.Is(statErr, os.ErrNotExist) {
			return fmt.Errorf("the loader %s that it needs does not exist; it may be built for another C library (glibc or musl)", loader)
		}
	}
	return nil
}

// hasBinaryFormats reports whether further formats are registered with Linux, such as those of
// an emulator, so that a file of any format may run.
func hasBinaryFormats() bool {
	entries, err := os.ReadDir("/proc/sys/fs/binfmt_misc")
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != "register" && e.Name() != "status" })
}
