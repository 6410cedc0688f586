package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Run runs Terraform with JSON output and returns the errors as one text, each with
// summary and detail.
func (p *Project) Run(args ...string) (string, bool) {
	p.T.Helper()
	var out bytes.Buffer
	err := p.Terraform.Run(&out, append(args, "-json")...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.T.Fatalf("%v\n%s", err, out.String())
	}
	return p.collect(&out), err == nil
}

// line is a line of Terraform's JSON output.
type line struct {
	At      time.Time `json:"@timestamp"`
	Message string    `json:"@message"`
	Type    string    `json:"type"`
	Hook    struct {
		Action   string `json:"action"`
		Resource struct {
			Addr string `json:"addr"`
		} `json:"resource"`
	} `json:"hook"`
	Diagnostic struct {
		Severity, Summary, Detail string
	} `json:"diagnostic"`
}

// collect stores the moments of a run and returns its errors.
func (p *Project) collect(out *bytes.Buffer) string {
	verbs := map[string]string{"apply_start": "begins", "apply_complete": "done", "apply_errored": "failed"}
	var output strings.Builder
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			fmt.Fprintln(&output, lines.Text()) // Terraform's usage, before it writes JSON
			continue
		}
		if word := verbs[l.Type]; word != "" {
			p.moments = append(p.moments, Moment{l.At, fmt.Sprintf("%s %s %s", l.Hook.Action, l.Hook.Resource.Addr, word)})
		}
		if l.Type == "diagnostic" && l.Diagnostic.Severity == "error" {
			fmt.Fprintf(&output, "%s\n\n%s\n\n", l.Diagnostic.Summary, l.Diagnostic.Detail)
		}
	}
	p.Must(lines.Err())
	return output.String()
}
