package provider_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// shiftsWithBluegreen is shiftsAtOnce with the command of this project.
func (s *rescueSite) shiftsWithBluegreen(c rescue, stable string) {
	s.t.Helper()
	s.move(c.moved(s))
	_, line, _ := strings.Cut(s.refused("error"), "The same with bluegreen: ")
	line, _, _ = strings.Cut(line, "\n")
	cmd := s.w.prepare()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", line}
	cmd.Env = append(cmd.Env, "PATH="+strings.Join([]string{buildCommand(s.t), os.Getenv("PATH")}, string(os.PathListSeparator)),
		"AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2="+s.srv.URL(), "AWS_ACCESS_KEY_ID=AKIALOCAL", "AWS_SECRET_ACCESS_KEY=secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	if got := s.traffic(s.movedRouted()); got != stable {
		s.t.Errorf("%s left %s", line, got)
	}
	if moves := s.shares(func() { s.w.apply().ok() }); len(moves) > 0 {
		s.t.Errorf("the apply after %s moved the traffic: %q", line, moves)
	}
	s.isNoOp()
}

var (
	commandDir   string // where TestMain removes it
	commandBuilt sync.Once
)

// buildCommand builds cmd/bluegreen once, and returns a directory with it and with terraform.
func buildCommand(t *testing.T) string {
	t.Helper()
	commandBuilt.Do(func() {
		if err := os.Symlink(needTerraform(t), filepath.Join(commandDir, "terraform")); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command("go", "build", "-o", filepath.Join(commandDir, "bluegreen"), "../../cmd/bluegreen").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	return commandDir
}
