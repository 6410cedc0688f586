package main

import (
	"context"
	"os"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/supervise"
)

// execVerb is "bluegreen exec".
type execVerb struct {
	Command   []string      `arg:"" optional:"" passthrough:"" name:"command" help:"The command and its arguments, after --, such as: bluegreen exec -- terraform apply."`
	ReportDir string        `help:"Folder in which the provider writes journals and reports. Default: $$BLUEGREEN_REPORT_DIR, or .bluegreen." placeholder:"DIR"`
	Timeout   time.Duration `default:"10m" help:"How long the command may run after its job was killed, and the limit for a recovery."`
	JSON      bool          `name:"json" help:"Print progress lines as JSON."`
}

// Run runs the command.
func (v *execVerb) Run(ctx context.Context, s streams) error {
	command := v.Command
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return (&places{}).report(s, usage("No command is named", "Use bluegreen exec -- terraform apply, with the arguments of Terraform after it."))
	}
	code := supervise.Run(ctx, supervise.Options{Command: command, ReportDir: v.ReportDir, Timeout: v.Timeout, JSON: v.JSON, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(),
		Recover: func(ctx context.Context, routes []string, progress func(string)) (operate.Result, error) {
			o, err := (&places{Route: routes}).open(ctx, s)
			if err != nil {
				return operate.Result{}, err
			}
			o.Progress = progress
			return o.Recover(ctx, operate.RecoverOptions{Timeout: v.Timeout})
		}})
	if code == 0 {
		return nil
	}
	return &operate.Problem{Exit: operate.Exit(code), Summary: "The command failed"}
}
