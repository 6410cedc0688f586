package lambda_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/lambda"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// The command of the AWS command line does what a write does.
func TestCommand(t *testing.T) {
	s := newSite(t, 2)
	var commands []string
	run := func(weights map[string]int) string {
		t.Helper()
		state := s.read()
		state.Weights = weights
		line, err := lambda.Command(live, state)
		must(t, err)
		commands = append(commands, line)
		return line
	}
	states := []map[string]int{{version(1): 990, version(2): 10}, {version(1): 0, version(2): 100}, {version(2): 1, version(1): 999}, {version(1): 1}}
	_, missing := exec.LookPath("aws")
	for _, weights := range states {
		line := run(weights)
		if missing == nil {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+s.srv.URL(), "AWS_ACCESS_KEY_ID=AKIALOCAL", "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s\n%v\n%s", line, err, out)
			}
		} else {
			must(t, s.write(s.forward, weights))
		}
		if got := s.read(); !got.Equal(traffic.State{Weights: withoutZero(weights)}) {
			t.Errorf("%s: the alias has %v", line, got.Weights)
		}
	}
	golden.Record(t, strings.Join(commands, "\n"))
	if _, err := lambda.Command(live, traffic.State{Weights: states[0]}); !errors.Is(err, lambda.ErrInvalid) {
		t.Errorf("without Raw: %v", err)
	}
	if missing != nil {
		t.Skip("the commands were compared and not run: there is no aws command on this machine")
	}
}

func withoutZero(weights map[string]int) map[string]int {
	some := maps.Clone(weights)
	maps.DeleteFunc(some, func(_ string, n int) bool { return n == 0 })
	return some
}
