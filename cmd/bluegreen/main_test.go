package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// ran is a run of the command.
type ran struct {
	code     int
	out, err string
}

// runWith runs the command with standard input; terminal says that it is one.
func runWith(ctx context.Context, input string, terminal bool, args ...string) ran {
	var out, errs bytes.Buffer
	code := run(ctx, args, streams{in: strings.NewReader(input), out: &out, err: &errs, terminal: terminal, getenv: os.LookupEnv})
	return ran{code, out.String(), errs.String()}
}

// newStack is a load balancer on which blue has all traffic, without targets.
func newStack(t *testing.T) (*localaws.Server, *rehearsal.Stack) {
	t.Helper()
	server, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, entry := range rehearsal.LocalEnv(server.URL()) {
		name, value, _ := strings.Cut(entry, "=")
		t.Setenv(name, value)
	}
	stack, err := rehearsal.NewStack(t.Context(), server.URL(), 80, "blue", "green")
	if err != nil {
		t.Fatal(err)
	}
	return server, stack
}

func TestRun_help(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	for _, args := range [][]string{{"--help"}, {"status", "--help"}, {"rollback", "--help"}, {"recover", "--help"}, {"exec", "--help"}, {"watch", "--help"}, {"report", "--help"}, {"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"--version"}} {
		r := runWith(t.Context(), "", false, args...)
		if r.code != 0 || r.err != "" {
			t.Errorf("%v: exit code %d, %s", args, r.code, r.err)
		}
		golden.CheckPart(t, strings.ReplaceAll(strings.Join(args, " "), "--", ""), r.out)
	}
}

// What is wrong with a command line, with nothing changed.
func TestRun_usage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.tfstate")
	for name, c := range map[string]struct {
		args  []string
		input string
	}{
		"no verb":           {},
		"an unknown verb":   {args: []string{"advance"}},
		"a misspelled verb": {args: []string{"statsu"}},
		"an unknown flag":   {args: []string{"status", "--all"}},
		"no routes":         {args: []string{"status"}},
		"no route":          {args: []string{"status", "--route", "web"}},
		"both":              {args: []string{"status", "--route", "web", "-f", "x"}},
		"no file":           {args: []string{"status", "-f", missing}},
		"malformed":         {args: []string{"recover", "-f", "-"}, input: "state"},
		"no terminal":       {args: []string{"rollback", "-f", missing}},
		"as JSON":           {args: []string{"rollback", "-f", missing, "--json"}},
		"an unknown shell":  {args: []string{"completion", "csh"}},
		"no command":        {args: []string{"exec", "--timeout", "5m", "--"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(t.Context(), c.input, false, c.args...)
			if r.code != 2 {
				t.Errorf("exit code %d", r.code)
			}
			golden.Check(t, r.out+r.err, golden.Replace(missing, "missing.tfstate"))
		})
	}
}

// A step of CI that always runs does not fail where the state has no switch, as after a destroy.
func TestRecover_noSwitch(t *testing.T) {
	const empty = `{"format_version":"1.0"}`
	r := runWith(t.Context(), empty, false, "recover", "-f", "-")
	if r.code != 0 || r.err != "" || r.out != operate.NoSwitch().Detail+"\n" {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
	if r := runWith(t.Context(), empty, false, "recover", "-f", "-", "--json"); r.code != 0 || !strings.Contains(r.out, `"nothing_to_do"`) {
		t.Errorf("as JSON: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	for _, args := range [][]string{{"recover", "--switch", "bluegreen_switch.web"}, {"status"}, {"abort"}} {
		if r := runWith(t.Context(), empty, false, append(args, "-f", "-")...); r.code != 2 || !strings.Contains(r.err, "The state has no switch") {
			t.Errorf("%v: exit code %d\n%s%s", args, r.code, r.out, r.err)
		}
	}
}

// Somebody is asked on a terminal, and only yes moves traffic.
func TestRollback_asks(t *testing.T) {
	server, stack := newStack(t)
	for _, c := range []struct {
		answer string
		code   int
		back   bool
	}{{"no\n", 2, false}, {"", 2, false}, {"y\n", 2, false}, {"yes\n", 0, true}} {
		r := runWith(t.Context(), c.answer, true, "rollback", "--route", stack.Listener, "--to", stack.Groups["green"])
		if back := server.Weights(stack.Listener)[stack.Groups["green"]] > 0; r.code != c.code || back != c.back {
			t.Errorf("%q: exit code %d, rolled back %t\n%s%s", c.answer, r.code, back, r.out, r.err)
		}
	}
}

func TestStatus_json(t *testing.T) {
	_, stack := newStack(t)
	r := runWith(t.Context(), "", false, "status", "--route", stack.Listener, "--json")
	var status struct {
		Routes []struct{ Label string }
		Shifts []any
	}
	if err := json.Unmarshal([]byte(r.out), &status); err != nil || r.code != 0 || len(status.Routes) != 1 || status.Shifts == nil {
		t.Errorf("exit code %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
}

// until cancels a context when something is written.
type until struct {
	io.Writer
	cancel func()
}

func (u until) Write(text []byte) (int, error) {
	defer u.cancel()
	return u.Writer.Write(text)
}

func TestStatus_watchUntilInterrupted(t *testing.T) {
	_, stack := newStack(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	code := run(ctx, []string{"status", "--watch", "--route", stack.Listener}, streams{in: strings.NewReader(""), out: until{&out, cancel}, err: io.Discard, getenv: os.LookupEnv})
	if code != 0 || !strings.Contains(out.String(), "app-blue") {
		t.Errorf("exit code %d\n%s", code, out.String())
	}
}
