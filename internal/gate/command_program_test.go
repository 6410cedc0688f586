//go:build linux

package gate_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// ownProgram returns the program of this test with another machine in its header.
func ownProgram(t *testing.T, machine elf.Machine) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if machine != elf.EM_NONE {
		text[18], text[19] = byte(machine), byte(machine>>8)
	}
	return string(text[:min(len(text), 1<<16)])
}

// What cannot run is found before the shift starts, without running it.
func TestCommand_preflightLooksAtTheFormat(t *testing.T) {
	if entries, err := os.ReadDir("/proc/sys/fs/binfmt_misc"); err == nil && len(entries) > 2 {
		t.Skip("this machine has further binary formats")
	}
	dir := t.TempDir()
	writeScript(t, dir, "interpreter", 0o755)
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 300)
	for _, tt := range []struct {
		name, content string
		want          rollout.Status
	}{
		{"a script", "#!/bin/sh\nexit 0\n", "pass"},
		{"one line without an end", "#!/bin/sh", "pass"},
		{"spaces and an argument", "#! /bin/sh -e\nexit 0\n", "pass"},
		{"env", "#!/usr/bin/env sh\nexit 0\n", "pass"},
		{"env with a variable", "#!/usr/bin/env -S A=1 sh\nexit 0\n", "pass"},
		{"env -S", "#!/usr/bin/env -S sh -e\nexit 0\n", "pass"},
		{"a relative interpreter", "#!./interpreter\n", "pass"},
		{"a line that is too long to be known", "#!/bin/sh " + long + "\n", "pass"},
		{"CR LF", "#!/bin/sh\r\nexit 0\r\n", "error"},
		{"CR LF after an argument", "#!/bin/sh -e\r\nexit 0\r\n", "error"},
		{"CR LF with env", "#!/usr/bin/env bash\r\nexit 0\r\n", "error"},
		{"a missing interpreter", "#!/usr/local/bin/no-such-shell\n", "error"},
		{"an interpreter that is a directory", "#!/usr/bin\n", "error"},
		{"an interpreter that is not executable", "#!./plain\n", "error"},
		{"no interpreter", "#!\nexit 0\n", "error"},
		{"env with an unknown program", "#!/usr/bin/env no-such-shell\n", "error"},
		{"env -S with an unknown program", "#!/usr/bin/env -S no-such-shell -x\n", "error"},
		{"no #!", "echo ok\n", "error"},
		{"a byte order mark", "\xef\xbb\xbf#!/bin/sh\n", "error"},
		{"empty", "", "error"},
		{"Windows", "MZ\x90\x00", "error"},
		{"macOS", "\xcf\xfa\xed\xfe\x07\x00\x00\x01", "error"},
		{"this program", ownProgram(t, elf.EM_NONE), "pass"},
		{"another processor", ownProgram(t, elf.EM_S390), "error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(dir, "check")
			if err := os.WriteFile(path, []byte(tt.content), 0o755); err != nil {
				t.Fatal(err)
			}
			c := gate.Command{Argv: []string{"./check"}, WorkingDir: dir}
			p, _ := newCommand(t, c, commandDeps()).(rollout.Preflight)
			v := p.Preflight(t.Context(), canaryInput())
			v.Detail = strings.ReplaceAll(strings.ReplaceAll(v.Detail, dir, "DIR"), os.Getenv("PATH"), "PATH")
			wantVerdictFrom(t, v, noServer, tt.want)
			if absent := c.Absent(commandDeps()); (absent == nil) != (tt.want == rollout.Pass) {
				t.Errorf("Absent returns %v", absent)
			}
		})
	}
}
