package main

import (
	"context"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// asked are the flags of the verbs that ask a running shift.
type asked struct {
	places
	Timeout time.Duration `default:"30s" help:"How long to wait for the response of the shift."`
}

// approveVerb is "bluegreen approve".
type approveVerb struct {
	asked
	Gate string `required:"" help:"Name of the gate to approve." placeholder:"NAME"`
}

// promoteVerb is "bluegreen promote".
type promoteVerb struct{ asked }

// abortVerb is "bluegreen abort".
type abortVerb struct {
	asked
	Reason string `help:"Why the version is rejected." placeholder:"TEXT"`
}

// Run approves a gate.
func (v *approveVerb) Run(ctx context.Context, s streams) error {
	return v.ask(ctx, s, operate.AskOptions{Verb: traffic.VerbApprove, Gate: v.Gate})
}

// Run ends a hold.
func (v *promoteVerb) Run(ctx context.Context, s streams) error {
	return v.ask(ctx, s, operate.AskOptions{Verb: traffic.VerbPromote})
}

// Run aborts a shift.
func (v *abortVerb) Run(ctx context.Context, s streams) error {
	return v.ask(ctx, s, operate.AskOptions{Verb: traffic.VerbAbort, Reason: v.Reason})
}

func (a *asked) ask(ctx context.Context, s streams, options operate.AskOptions) error {
	o, err := a.open(ctx, s)
	if err != nil {
		return a.report(s, err)
	}
	options.Timeout = a.Timeout
	result, err := o.Ask(ctx, options)
	switch {
	case err != nil:
		return a.report(s, err)
	case a.JSON:
		return printJSON(s.out, result)
	}
	return printLine(s.out, result.Text())
}
