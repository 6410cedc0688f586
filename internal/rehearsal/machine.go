package rehearsal

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// MachineCommand is the first argument with which cmd/localapp runs as a machine: it must then call
// MachineMain.
const MachineCommand = "machine-process"

// machine is a process of the application that outlives the command that started it.
type machine struct {
	PID  int   `json:"pid"`
	Port int32 `json:"port"`
	// Identity is the process's response at identityPath, so that a reused process ID is never killed.
	Identity string `json:"identity"`
}

const (
	identityPath = "/machine"
	// checkInterval is the interval at which a machine checks whether it is still needed.
	checkInterval = time.Second
	// silentChecks is the number of consecutive checks without a response of the load balancer.
	silentChecks = 15
	// endLimit bounds the time for a killed process to end.
	endLimit = 10 * time.Second
)

func (m machine) address() string { return fmt.Sprintf("127.0.0.1:%d", m.Port) }

// startMachine runs this program again as a machine, in its own session, and returns when it listens.
func (s *Site) startMachine(f Fleet) (machine, error) {
	self, err := os.Executable()
	if err != nil {
		return machine{}, fmt.Errorf("cannot find the executable: %w", err)
	}
	folder, err := filepath.Abs(s.Dir)
	if err != nil {
		return machine{}, err
	}
	m := machine{Identity: rand.Text()}
	command := exec.Command(self, append([]string{MachineCommand, "-site", folder, "-balancer", s.endpoint, "-identity", m.Identity, "-boot", f.Boot.String()},
		f.Terms.flags()...)...)
	proc.Detach(command)
	stdout, err := command.StdoutPipe()
	if err != nil {
		return machine{}, err
	}
	if err := command.Start(); err != nil {
		return machine{}, fmt.Errorf("cannot start version %s: %w", f.Terms.Version, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		m.Port, err = PortOf(strings.TrimSpace(line))
	}
	if err != nil {
		return machine{}, errors.Join(fmt.Errorf("version %s did not print its address: %w", f.Terms.Version, err), command.Process.Kill())
	}
	m.PID = command.Process.Pid
	return m, command.Process.Release()
}

// MachineMain is the main function of a machine: it boots, listens on a free port and prints its address on
// the first line of standard output. It ends when the directory of its site or its load balancer is gone, so
// that it does not run forever.
func MachineMain(args []string) error {
	var t AppTerms
	flags := flag.NewFlagSet(MachineCommand, flag.ContinueOnError)
	site := flags.String("site", "", "folder without which it ends")
	balancer := flags.String("balancer", "", "URL of the API without which it ends")
	identity := flags.String("identity", "", "what it answers at "+identityPath)
	boot := flags.Duration("boot", 0, "before it listens")
	t.setFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	pause(context.Background(), *boot)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", t.Handler())
	mux.HandleFunc(identityPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, *identity) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go closeWithout(*site, *balancer, server)
	asked, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	finished := make(chan error, 1)
	go func() {
		<-asked.Done()
		limited, cancel := context.WithTimeout(context.WithoutCancel(asked), shutdownLimit)
		defer cancel()
		finished <- server.Shutdown(limited)
	}()
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if asked.Err() == nil {
		return nil // closed: it is not needed any more
	}
	return <-finished
}

// closeWithout closes a server that is not needed any more.
func closeWithout(folder, balancer string, server *http.Server) {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for silent := 0; silent < silentChecks; <-tick.C {
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			break
		}
		if listens(balancer) {
			silent = 0
		} else {
			silent++
		}
	}
	_ = server.Close()
}

// listens reports whether a server accepts connections at a URL.
func listens(address string) bool {
	at, err := url.Parse(address)
	if err != nil {
		return false
	}
	connection, err := net.DialTimeout("tcp", at.Host, checkInterval)
	if err != nil {
		return false
	}
	return connection.Close() == nil
}

// retire makes the process finish requests in flight and end.
func (m machine) retire(ctx context.Context) error {
	if !m.isItself(ctx) {
		return nil // it has ended by itself
	}
	process, err := os.FindProcess(m.PID)
	if err != nil {
		return fmt.Errorf("cannot find process %d: %w", m.PID, err)
	}
	if err := process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return process.Kill() // Windows has no such signal
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit+endLimit)
	defer cancel()
	return poll(ctx, func() (bool, error) { return !proc.Running(m.PID), nil })
}

// end kills the process and waits for its end.
func (m machine) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	if !m.isItself(ctx) {
		return nil // it has ended by itself
	}
	process, err := os.FindProcess(m.PID)
	if err != nil {
		return fmt.Errorf("cannot find process %d: %w", m.PID, err)
	}
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot end process %d: %w", m.PID, err)
	}
	if err := poll(ctx, func() (bool, error) { return !proc.Running(m.PID), nil }); err != nil {
		return fmt.Errorf("process %d did not end: %w", m.PID, err)
	}
	return nil
}

// isItself reports whether the machine listens on its port.
func (m machine) isItself(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.address()+identityPath, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	return err == nil && string(text) == m.Identity
}
