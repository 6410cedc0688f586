package rehearsal

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// AppCommand is the first argument with which a program of this project runs as the application:
// it must then call AppMain.
const AppCommand = "rehearsal-app"

// AppTerms is the behavior of a version of the application.
type AppTerms struct {
	Version string
	Delay   time.Duration // before every response
	// BreaksAfter is the number of user requests that are answered well; after that everything but the
	// health check gets 500. 0: never. It simulates a release that passes every test and fails under real
	// traffic, so test traffic (EnvironmentHeader) does not count.
	BreaksAfter int
	// SlowAfter is the number of user requests that are answered after Delay; after that every response
	// takes SlowBy times Delay. SlowBy 0: never. It simulates a release that is correct but slow.
	SlowAfter int
	SlowBy    float64
}

func (t AppTerms) args() []string {
	return append([]string{AppCommand}, t.flags()...)
}

// flags returns the terms as command line arguments for setFlags.
func (t AppTerms) flags() []string {
	return []string{
		"-version", t.Version, "-delay", t.Delay.String(), "-breaks-after", fmt.Sprint(t.BreaksAfter),
		"-slow-after", fmt.Sprint(t.SlowAfter), "-slow-by", fmt.Sprint(t.SlowBy),
	}
}

// setFlags declares the terms as command line flags.
func (t *AppTerms) setFlags(flags *flag.FlagSet) {
	flags.StringVar(&t.Version, "version", "", "what it calls itself")
	flags.DurationVar(&t.Delay, "delay", 0, "before every answer")
	flags.IntVar(&t.BreaksAfter, "breaks-after", 0, "users' requests until it answers 500; 0: never")
	flags.IntVar(&t.SlowAfter, "slow-after", 0, "users' requests until it slows down")
	flags.Float64Var(&t.SlowBy, "slow-by", 0, "by what factor the delay grows then; 0: it never does")
}

// delay is the time of a response; asked is the number of user requests so far, including this one.
func (t AppTerms) delay(asked int64) time.Duration {
	if t.SlowBy == 0 || asked <= int64(t.SlowAfter) {
		return t.Delay
	}
	return time.Duration(float64(t.Delay) * t.SlowBy)
}

// breaks reports whether the response is an error; asked is as for delay.
func (t AppTerms) breaks(asked int64) bool { return t.BreaksAfter > 0 && asked > int64(t.BreaksAfter) }

// Handler serves the application: its version in VersionHeader and in the body, "/healthz" for health
// checks, "/slow?for=2s" for a long request, "/metrics" for Prometheus.
func (t AppTerms) Handler() http.Handler {
	var asked atomic.Int64
	measured := newAppMetrics(t.Version)
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(VersionHeader, t.Version)
		_, _ = fmt.Fprintln(w, "ok")
	})
	mux.Handle("/metrics", measured.handler)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		start, n := time.Now(), asked.Load()
		isUser := r.Header.Get(EnvironmentHeader) == ""
		if isUser {
			n = asked.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set(VersionHeader, t.Version)
		if d, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
			pause(r.Context(), d)
		}
		pause(r.Context(), t.delay(n))
		code := http.StatusOK
		if t.breaks(n) {
			code = http.StatusInternalServerError
		}
		if isUser {
			measured.count(code, time.Since(start))
		}
		if code != http.StatusOK {
			http.Error(w, "version "+t.Version+" is broken", code)
			return
		}
		_, _ = fmt.Fprintf(w, "hello from version %s\n", t.Version)
	})
	return mux
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// shutdownLimit bounds the time to finish requests in flight.
const shutdownLimit = 30 * time.Second

// AppMain is the main function of the application: it listens on a free port, prints its address on the
// first line of standard output, and ends at SIGTERM or when standard input closes, so that it never
// outlives its parent.
func AppMain(args []string) error {
	var t AppTerms
	flags := flag.NewFlagSet(AppCommand, flag.ContinueOnError)
	t.setFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	proc.Discard(os.Interrupt) // Ctrl-C in the demo is meant for Terraform
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	server := &http.Server{Handler: t.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		// Requests in flight are finished, as an application should.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		ended <- server.Shutdown(limited)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// App is a running process of the application.
type App struct {
	AppTerms
	Address string // "127.0.0.1:port"
	Port    int32

	command *exec.Cmd
	stdin   io.Closer
}

// startApp runs a program as the application and returns when it listens. Empty: this program.
func startApp(program string, t AppTerms) (*App, error) {
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("cannot find the executable: %w", err)
		}
		program = self
	}
	command := exec.Command(program, t.args()...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start version %s: %w", t.Version, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = command.Process.Kill()
		return nil, fmt.Errorf("version %s did not print its address: %w", t.Version, err)
	}
	app := &App{AppTerms: t, Address: strings.TrimSpace(line), command: command, stdin: stdin}
	if app.Port, err = PortOf(app.Address); err != nil {
		app.Kill()
		return nil, err
	}
	return app, nil
}

// PortOf returns the port of an address such as "127.0.0.1:8080".
func PortOf(address string) (int32, error) {
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return 0, fmt.Errorf("no address with a port: %w", err)
	}
	return int32(addr.Port), nil
}

// Stop lets the process finish requests in flight, and waits for its end.
func (a *App) Stop() {
	_ = a.stdin.Close()
	_ = a.command.Wait()
}

// Kill ends the process immediately, without finishing requests in flight.
func (a *App) Kill() {
	_ = a.command.Process.Kill()
	_ = a.command.Wait()
	_ = a.stdin.Close()
}
