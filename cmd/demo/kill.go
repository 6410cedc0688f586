package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

// killedRelease is a release whose processes are killed at 50 %. The traffic is rolled back with the
// command bluegreen, and the version is not shipped again.
func (d *demo) killedRelease(ctx context.Context, v printer) ([]result, error) {
	r := result{scenario: "(h) killed at 50 %, and bluegreen rollback", worst: "-"}
	v.say("\n=== %s: examples/two-environments, without the guardian that would return the traffic", r.scenario)
	s, err := d.newExampleRun("two-environments", v)
	if err != nil {
		return nil, err
	}
	if err := s.Edit("main.tf", `provider "bluegreen" {}`, "provider \"bluegreen\" {\n  guardian = false\n}"); err != nil {
		return nil, err
	}
	if err := s.begin(0); err != nil {
		return nil, err
	}
	releases := map[string]string{"blue": first, "green": second}
	if err := s.killAt(ctx, 50, releases); err != nil {
		return nil, err
	}
	began := time.Now()
	rollback, ended, err := s.rollBack(ctx)
	if err != nil {
		return nil, err
	}
	if err = s.watching.until(ctx, "blue", 100); err == nil {
		err = wait(ctx, observedAfter)
	}
	if err != nil {
		proc.KillGroup(rollback)
		return nil, errors.Join(err, <-ended)
	}
	turns := s.end(&r) // the command goes on watching
	if err := <-ended; err != nil {
		return nil, fmt.Errorf("bluegreen rollback: %w", err)
	}
	last := turns[len(turns)-1]
	r.rollback = fmt.Sprintf("%.2f", last.at.Sub(began).Seconds())
	r.must(shares(last.weights)["blue"] == 100, "blue does not have all traffic")
	s.say("\nApplying the same edit again:")
	before := s.writes()
	failed, err := s.release(ctx, "green", releases)
	if err != nil {
		return nil, err
	}
	r.must(failed && s.writes() == before, "the version was shipped again")
	return []result{r}, nil
}

var errNotKilled = errors.New("the apply completed before it was killed")

// killAt starts a release of green, and kills Terraform and the provider when green has a share.
func (s *exampleRun) killAt(ctx context.Context, percent float64, releases map[string]string) error {
	var out bytes.Buffer
	command, ended, err := s.start("green", releases, &out)
	if err != nil {
		return err
	}
	err = s.watching.until(ctx, "green", percent)
	if err == nil {
		err = wait(ctx, midHold)
	}
	proc.KillGroup(command)
	if <-ended == nil && err == nil {
		return errNotKilled
	}
	s.say("         kill -9 of Terraform and the provider")
	return err
}

// rollBack starts bluegreen rollback, which needs neither Terraform nor the lock of the state.
func (s *exampleRun) rollBack(ctx context.Context) (*exec.Cmd, <-chan error, error) {
	args := []string{"rollback", "-f", "terraform.tfstate", "--yes", "--reason", "killed at 50 %"}
	s.say("\n$ bluegreen rollback -f terraform.tfstate --yes --reason \"killed at 50 %%\"")
	command := exec.CommandContext(ctx, s.d.command, args...)
	proc.OwnGroup(command)
	command.Dir, command.Env = s.Terraform.Dir, append(os.Environ(), s.Terraform.Env...)
	command.Stdout, command.Stderr = s.out, s.out
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	return command, ended, nil
}
