package shift_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// The guide has the rows of the table word for word.
func TestTable_isInTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../templates/guides/what-an-apply-does.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range shift.Table() {
		if line := fmt.Sprintf("| %d | %s | %s |", row.Number, row.Situation, row.Apply); !strings.Contains(string(guide), line) {
			t.Errorf("the guide does not have the line\n%s", line)
		}
	}
}

// The guide Lambda aliases has every preset of CodeDeploy for Lambda, with a call of linear or canary that gives
// the same steps.
func TestPresets_areInTheGuide(t *testing.T) {
	guide, err := os.ReadFile("../../templates/guides/lambda-aliases.md")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]string{}
	for line := range strings.Lines(string(guide)) {
		if name, call, found := strings.Cut(strings.Trim(strings.TrimSpace(line), "| "), " | "); found && strings.HasPrefix(name, "`CodeDeployDefault.") {
			calls[strings.TrimPrefix(strings.Trim(name, "`"), "CodeDeployDefault.")] = strings.Trim(call, "`")
		}
	}
	for _, name := range shift.Presets() {
		if !strings.HasPrefix(name, "Lambda") {
			continue
		}
		want, err := shift.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := stepsOf(calls[name]); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: the guide has %q, which gives %v, %v; want %v", name, calls[name], got, err, want)
		}
		delete(calls, name)
	}
	if len(calls) > 0 {
		t.Errorf("the guide has presets that do not exist: %v", calls)
	}
}

// stepsOf returns the steps of a call such as canary(10, "5m").
func stepsOf(call string) ([]shift.Step, error) {
	if call == "[]" {
		return nil, nil
	}
	name, arguments, _ := strings.Cut(strings.TrimSuffix(call, ")"), "(")
	percent, hold, _ := strings.Cut(arguments, ", ")
	n, err := strconv.ParseFloat(percent, 64)
	if err != nil {
		return nil, err
	}
	share, err := shift.ShareOf(n)
	if err != nil {
		return nil, err
	}
	pause, err := time.ParseDuration(strings.Trim(hold, `"`))
	if err != nil {
		return nil, err
	}
	switch name {
	case "canary":
		return shift.Canary(share, pause)
	case "linear":
		return shift.Linear(share, pause)
	}
	return nil, fmt.Errorf("unknown function %q", name)
}
