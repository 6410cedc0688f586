//go:build linux

package kube

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/slow"
)

// process is a running program of the cluster. Its output is in a file.
type process struct {
	name    string
	command *exec.Cmd
	log     string
	ended   chan struct{}
	err     error // once ended is closed
}

// startProcess starts a program. The kernel ends it with this process, whatever ends that.
func startProcess(dir, path string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(path), ended: make(chan struct{})}
	p.log = filepath.Join(dir, p.name+".log")
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	p.command = exec.Command(path, args...) //nolint:noctx // stop ends it
	p.command.Dir, p.command.Stdout, p.command.Stderr = dir, out, out
	p.command.Env = append(os.Environ(), "GOGC=100") // the heaps of these are not small
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	go func() {
		p.err = errors.Join(p.command.Wait(), out.Close())
		close(p.ended)
	}()
	return p, nil
}

// stop kills the process, and waits until it has ended.
func (p *process) stop() {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.ended
}

// tail returns the end of the output.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-3000):])
}

// until waits for a condition while the process runs.
func (p *process) until(what string, is func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(slow.Deadline(time.Minute))
	for !is() {
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("%s has ended (%w):\n%s", p.name, p.err, p.tail())
		case <-limit:
			return fmt.Errorf("timed out waiting until %s %s:\n%s", p.name, what, p.tail())
		}
	}
	return nil
}

// freeAddresses returns addresses of loopback that are free now.
func freeAddresses(n int) ([]string, error) {
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it takes no time
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		all = append(all, l.Addr().String())
	}
	return all, nil
}
