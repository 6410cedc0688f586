package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/console"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/connect"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/owner"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/report"
)

// places are the flags that name the routes.
type places struct {
	Route  []string `help:"A route: the ARN of a listener, of a listener rule or of a Lambda alias, or a Route 53 record as ZONE_ID/name/type. May be repeated." placeholder:"ROUTE"`
	File   string   `short:"f" help:"State file of Terraform or OpenTofu, or the output of terraform show -json. - reads standard input." placeholder:"FILE"`
	Switch string   `help:"Address of the switch, with -f, if the state has several." placeholder:"ADDRESS"`

	ReportDir string `help:"Folder of journals, as report_dir of the provider. The routes are those of its last shift." placeholder:"DIR"`

	JSON  bool `name:"json" help:"Print JSON instead of text."`
	lines bool // each JSON document is one line
}

// common are the flags of every verb that reads or moves traffic.
type common struct {
	places
	Timeout time.Duration `default:"10m" help:"How long to retry before the command fails."`
}

// statusVerb is "bluegreen status".
type statusVerb struct {
	common
	Watch    bool          `short:"w" help:"Repeat until interrupted."`
	Interval time.Duration `default:"2s" help:"Time between two reads, with --watch."`
}

// rollbackVerb is "bluegreen rollback".
type rollbackVerb struct {
	common
	To     string `help:"What gets all traffic: with -f, the name of an environment; otherwise the ARN of a target group, the set identifier of a Route 53 record or the number of a function version. Default: the weights from before the shift, if it left a record." placeholder:"NAME"`
	Reason string `help:"Why the version is rejected." placeholder:"TEXT"`
	Yes    bool   `short:"y" help:"Roll back without a confirmation."`
	Force  bool   `help:"Roll back even if the targets that get the traffic are not healthy."`
}

// recoverVerb is "bluegreen recover".
type recoverVerb struct {
	common
	Force bool `help:"Roll back even if the targets that get the traffic are not healthy."`
}

// Run shows the status.
func (v *statusVerb) Run(ctx context.Context, s streams) error {
	o, err := v.open(ctx, s)
	if err != nil {
		return v.report(s, err)
	}
	shown, screen := "", console.NewScreen(s.out)
	defer func() { _ = screen.Close() }()
	for {
		limited, cancel := context.WithTimeout(ctx, v.Timeout)
		status, err := o.Status(limited)
		cancel()
		if ctx.Err() != nil && v.Watch {
			return nil
		}
		problem, is := errors.AsType[*operate.Problem](err)
		passes := v.Watch && is && problem.Exit == operate.Failed
		if err != nil && !passes {
			return v.report(s, err)
		}
		text := v.text(s, status)
		switch {
		case err != nil && s.screen && s.color:
			err = screen.Draw(strings.Split("Error: "+problem.Error(), "\n"), nil)
		case err != nil:
			_, err = fmt.Fprintf(s.err, "Error: %s\n", problem.Error())
		case v.JSON:
			err = printJSON(s.out, status)
		case s.screen && s.color && v.Watch:
			err = screen.Draw(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), nil)
		case text != shown:
			_, err = io.WriteString(s.out, text)
		}
		if err != nil || !v.Watch {
			return err
		}
		shown = text
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(v.Interval):
		}
	}
}

// text is a status, with color where the output has it.
func (v *statusVerb) text(s streams, status operate.Status) string {
	if s.color {
		return status.Styled(time.Now(), console.StatusStyle())
	}
	return status.Text(time.Now())
}

var errDeclined = &operate.Problem{Exit: operate.Refused, Summary: "Not rolled back", Traffic: "Nothing was changed."}

// Run rolls back.
func (v *rollbackVerb) Run(ctx context.Context, s streams) error {
	if !v.Yes && (!s.terminal || v.JSON || v.File == "-") {
		return v.report(s, &operate.Problem{Exit: operate.Refused, Summary: "Rollback needs a confirmation", Traffic: "Nothing was changed.",
			Cause: "The command cannot ask with --json, with -f -, or if standard input or output is not a terminal.", Action: "Use --yes to roll back without a confirmation."})
	}
	o, err := v.open(ctx, s)
	if err != nil {
		return v.report(s, err)
	}
	options := operate.RollbackOptions{To: v.To, Reason: v.Reason, Force: v.Force, Timeout: v.Timeout}
	plan, err := o.PlanRollback(ctx, options)
	if err == nil {
		o.Progress(plan.Text())
	}
	if err == nil && !v.Yes {
		plan, err = v.ask(ctx, s, o, plan)
	}
	if err != nil {
		return v.report(s, err)
	}
	result, err := plan.Run(ctx)
	return v.finish(s, result, err)
}

// ask asks whether to roll back, and plans again, because that takes time.
func (v *rollbackVerb) ask(ctx context.Context, s streams, o *operate.Operator, plan *operate.Plan) (*operate.Plan, error) {
	fmt.Fprint(s.out, "Roll back? Only \"yes\" is accepted: ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(s.in).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		return nil, errDeclined
	case text := <-answer:
		if text != "yes" {
			return nil, errDeclined
		}
	}
	again, err := o.PlanRollback(ctx, operate.RollbackOptions{To: v.To, Reason: v.Reason, Force: v.Force, Timeout: v.Timeout})
	if err != nil {
		return nil, err
	}
	if !again.Equal(plan) {
		return nil, &operate.Problem{Exit: operate.Refused, Summary: "Not rolled back", Traffic: "Nothing was changed.",
			Cause: "The traffic or the shift changed while you were asked.", Action: "Run the command again."}
	}
	return again, nil
}

// Run recovers an abandoned shift.
func (v *recoverVerb) Run(ctx context.Context, s streams) error {
	targets, err := v.targets(s)
	if errors.Is(err, operate.ErrNoSwitch) && v.Switch == "" {
		return v.finish(s, operate.NoSwitch(), nil)
	}
	if err != nil {
		return v.report(s, err)
	}
	var first error
	for _, target := range targets {
		several := ""
		if len(targets) > 1 {
			several = target.Switch
		}
		if err := v.recover(ctx, s, target, several); first == nil {
			first = err
		}
	}
	return first
}

// targets are the routes of all switches of a state, unless the flags choose one.
func (v *recoverVerb) targets(s streams) ([]operate.Target, error) {
	if v.File == "" || v.Switch != "" || len(v.Route) > 0 || v.ReportDir != "" {
		target, err := v.target(s)
		return []operate.Target{target}, err
	}
	file, end, err := v.state(s)
	if err != nil {
		return nil, err
	}
	defer end()
	return operate.AllFromState(file)
}

// recover recovers a target. several is the address of its switch where there are others.
func (v *recoverVerb) recover(ctx context.Context, s streams, target operate.Target, several string) error {
	if several != "" && !v.JSON {
		if err := printLine(s.out, several+":"); err != nil {
			return err
		}
	}
	o, err := v.operator(ctx, s, target)
	var result operate.Result
	if err == nil {
		result, err = o.Recover(ctx, operate.RecoverOptions{Force: v.Force, Timeout: v.Timeout})
	}
	result.Switch = several
	if problem, is := errors.AsType[*operate.Problem](err); is {
		problem.Switch = several
	}
	return v.finish(s, result, err)
}

// open finds the routes and builds clients.
func (c *places) open(ctx context.Context, s streams) (*operate.Operator, error) {
	target, err := c.target(s)
	if err != nil {
		return nil, err
	}
	return c.operator(ctx, s, target)
}

// operator builds the clients for a target.
func (c *places) operator(ctx context.Context, s streams, target operate.Target) (*operate.Operator, error) {
	clients, err := connect.Open(ctx, target.Routes[0].ID, version)
	if err != nil {
		return nil, err
	}
	o := &operate.Operator{Clients: clients, Target: target, Owner: owner.New(s.getenv), Abandoned: owner.Abandoned, Guarded: owner.IsGuarded,
		Progress: func(line string) { fmt.Fprintln(s.out, line) }}
	if c.JSON {
		o.Progress = func(line string) { fmt.Fprintln(s.err, line) }
	}
	return o, nil
}

// target returns the routes that the flags name.
func (c *places) target(s streams) (operate.Target, error) {
	switch {
	case c.ReportDir != "" && (len(c.Route) > 0 || c.File != "" || c.Switch != ""):
		return operate.Target{}, usage("--report-dir cannot be used together with --route or -f", "Use one of them.")
	case c.ReportDir != "":
		return c.lastShift()
	case len(c.Route) > 0 && c.File != "" || len(c.Route) > 0 && c.Switch != "":
		return operate.Target{}, usage("--route and -f cannot be used together", "Use -f, which has all routes of the switch, or --route.")
	case len(c.Route) > 0:
		return operate.FromRoutes(c.Route)
	case c.File == "":
		return operate.Target{}, usage("No routes are named", "Use --route, -f with a state file, or --report-dir with a folder of journals.")
	}
	file, end, err := c.state(s)
	if err != nil {
		return operate.Target{}, err
	}
	defer end()
	return operate.FromState(file, c.Switch)
}

// state opens the state file. end closes it.
func (c *places) state(s streams) (file io.Reader, end func(), err error) {
	if c.File == "-" {
		return s.in, func() {}, nil
	}
	opened, err := os.Open(c.File)
	if err != nil {
		return nil, nil, usage("Cannot read the state file", err.Error())
	}
	return opened, func() { _ = opened.Close() }, nil
}

// lastShift returns the routes of the last shift of a folder of journals.
func (c *places) lastShift() (operate.Target, error) {
	r := &reports{ReportDir: c.ReportDir, JSON: c.JSON}
	journal, err := r.journal("")
	if err != nil {
		return operate.Target{}, r.problem("Cannot find the routes", err)
	}
	story, err := report.ReadStory(journal)
	if err != nil {
		return operate.Target{}, r.problem("Cannot find the routes", err)
	}
	return operate.FromShift(story.Shift)
}

func usage(summary, action string) error {
	return &operate.Problem{Exit: operate.Refused, Summary: summary, Traffic: "Nothing was changed.", Action: action}
}

// finish prints a result or an error.
func (c *places) finish(s streams, r operate.Result, err error) error {
	switch {
	case err != nil:
		return c.report(s, err)
	case c.JSON:
		return printJSON(s.out, r)
	}
	return printLine(s.out, r.Text())
}

func printLine(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
}

// report prints an error and returns it.
func (c *places) report(s streams, err error) error {
	problem, is := errors.AsType[*operate.Problem](err)
	if !is {
		return err
	}
	if c.JSON {
		write := printJSON
		if c.lines {
			write = printCompact
		}
		if err := write(s.out, map[string]any{"error": problem}); err != nil {
			return err
		}
		return problem
	}
	fmt.Fprintf(s.err, "Error: %s\n", problem.Error())
	return problem
}

func printJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

func printCompact(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(value)
}

func isTerminal(file *os.File) bool {
	return isatty.IsTerminal(file.Fd()) || isatty.IsCygwinTerminal(file.Fd())
}
