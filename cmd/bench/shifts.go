package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// release is a rehearsal release with its load balancer.
type release struct {
	*rehearsal.Release
	balancer *localaws.Server
}

// newRelease adopts the listener of a new local stack.
func (b bench) newRelease(ctx context.Context, hold, gates string) (*release, error) {
	binary, err := rehearsal.FindTerraform()
	if err != nil {
		return nil, err
	}
	config, err := rehearsal.BuildProvider(ctx, b.root, b.dir)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "quickstart-")
	if err != nil {
		return nil, err
	}
	balancer, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(200*time.Millisecond), localaws.WithLogger(quiet()))
	if err != nil {
		return nil, err
	}
	r, err := rehearsal.NewRelease(ctx, rehearsal.ReleaseTerms{Binary: binary, CLIConfig: config, Root: b.root, Dir: dir,
		Endpoint: balancer.URL(), ListenerAddr: balancer.ListenerAddr,
		Gates: gates,
		Pace:  rehearsal.Pace{Hold: hold, Settle: "500ms", SteadyFor: "500ms"}})
	if err != nil {
		return nil, errors.Join(err, balancer.Close())
	}
	for version, environment := range []string{"blue", "green"} {
		if err := r.Deploy(ctx, environment, terms(version+1)); err != nil {
			return nil, errors.Join(err, balancer.Close())
		}
	}
	return &release{Release: r, balancer: balancer}, r.Adopt()
}

func (r *release) close() {
	r.Close()
	_ = r.balancer.Close()
}

func terms(version int) rehearsal.AppTerms {
	return rehearsal.AppTerms{Version: fmt.Sprint(version), Delay: 2 * time.Millisecond}
}

// shifts moves all traffic with Terraform repeatedly under load; the old version is stopped
// as soon as the apply ends.
func (b bench) shifts(ctx context.Context) ([]row, error) {
	r, err := b.newRelease(ctx, "1s", rehearsal.AnswerGates)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var lost, requests, calls int
	var seconds float64
	var firstLost string
	active, idle := "blue", "green"
	for n := range b.runs {
		before := len(r.balancer.Calls())
		counts, took, err := b.oneShift(ctx, r, move{to: idle, from: active, version: n + 2})
		if err != nil {
			return nil, err
		}
		writes, _ := count(r.balancer.Calls()[before:])
		lost, requests, calls, seconds = lost+counts.Lost, requests+counts.Requests, calls+int(writes), seconds+took.Seconds()
		if firstLost == "" {
			firstLost = counts.FirstLost
		}
		active, idle = idle, active
	}
	rate := float64(requests) / seconds
	measured := fmt.Sprintf("%d of %d, at %.0f requests/s", lost, requests, rate)
	if firstLost != "" {
		measured += ", the first: " + firstLost
	}
	return []row{
		{what: fmt.Sprintf("requests lost in %d shifts by Terraform (5 %%, 50 %%, 100 %%) with keep-alive clients, the old version stopped right after each apply", b.runs),
			goal: "0 at 500 requests/s or more", measured: measured, missed: lost > 0 || rate < 500},
		{what: "ELBv2 writes per shift in these shifts", goal: "steps + 1 = 3, and 1 attach in the first", measured: fmt.Sprintf("%.1f", float64(calls)/float64(b.runs)),
			missed: calls > 4*b.runs},
	}, nil
}

// move is one release: its environments and version.
type move struct {
	to, from string
	version  int
}

func (b bench) oneShift(ctx context.Context, r *release, m move) (rehearsal.Counts, time.Duration, error) {
	if app := r.Stack.App(m.to); app == nil || app.AppTerms != terms(m.version) {
		if err := r.Deploy(ctx, m.to, terms(m.version)); err != nil {
			return rehearsal.Counts{}, 0, err
		}
	}
	if err := r.Configure(m.to); err != nil {
		return rehearsal.Counts{}, 0, err
	}
	began := time.Now()
	load := rehearsal.StartLoad(rehearsal.LoadTerms{URL: r.URL, Rate: b.rate, Clients: 32})
	err := r.Run("apply", "-no-color", "-auto-approve")
	if err == nil {
		err = r.Stack.Retire(ctx, m.from)
	}
	// What happens after the old version has ended counts too.
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	took := time.Since(began)
	return load.Stop(), took, err
}

// cancel measures an apply that is interrupted at its first step.
func (b bench) cancel(ctx context.Context) ([]row, error) {
	r, err := b.newRelease(ctx, "10m", rehearsal.AnswerGates)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var all []time.Duration
	for range 3 {
		if err := r.Configure("green"); err != nil {
			return nil, err
		}
		took, err := r.interrupted(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	m := median(all)
	return []row{{what: "from Ctrl-C during a shift to the end of terraform apply with the traffic rolled back, median of 3",
		goal: "under 5 s", measured: ms(m), missed: m >= 5*time.Second}}, nil
}

var errNotRestored = errors.New("the traffic is not rolled back")

// interrupted sends Ctrl-C once the weights have changed.
func (r *release) interrupted(ctx context.Context) (time.Duration, error) {
	command := r.Terraform.Command("apply", "-no-color", "-auto-approve")
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return 0, err
	}
	if err := r.untilMoved(ctx); err != nil {
		_ = command.Process.Kill()
		return 0, errors.Join(err, command.Wait())
	}
	began := time.Now()
	if err := proc.Interrupt(command); err != nil {
		return 0, err
	}
	err := command.Wait()
	took := time.Since(began)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, errors.Join(fmt.Errorf("an interrupted apply did not fail:\n%s", out.String()), err)
	}
	if weights, err := r.Stack.Weights(ctx); err != nil || weights["green"] != 0 {
		return 0, errors.Join(fmt.Errorf("%w: %v", errNotRestored, weights), err)
	}
	return took, nil
}

func (r *release) untilMoved(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		weights, err := r.Stack.Weights(ctx)
		if err != nil {
			return err
		}
		if weights["green"] > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
