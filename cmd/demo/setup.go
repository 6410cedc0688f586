package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localalb"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// The versions that the acts release, in order.
const (
	first  = "1.4.2" // live at the beginning
	second = "1.5.0" // good
	third  = "1.6.0" // fine in every test, and broken under real traffic
	fourth = "1.6.1" // good, but its release is interrupted
)

const (
	hold   = "3s"
	settle = "1s"
)

// demo is the stage with everything on it.
type demo struct {
	options
	balancer  *localalb.Server
	stage     *rehearsal.Stage
	terraform *rehearsal.Terraform
	url       string
	versions  map[string]string
	dir       string
	load      *rehearsal.Load
	watch     *watch
}

func setUp(ctx context.Context, o options) (*demo, error) {
	d := &demo{options: o, versions: map[string]string{"blue": first, "green": second}}
	binary, cliConfig, err := prepare(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.setStage(ctx, binary, cliConfig); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// prepare finds or fetches Terraform and builds the provider.
func prepare(ctx context.Context) (binary, cliConfig string, err error) {
	cache, err := cacheDir()
	if err != nil {
		return "", "", err
	}
	binary, err = rehearsal.FindTerraform()
	if errors.Is(err, rehearsal.ErrNoTerraform) {
		say("Neither terraform nor tofu is on PATH: fetching Terraform into %s", cache)
		binary, err = rehearsal.FetchTerraform(ctx, cache)
	}
	if err != nil {
		return "", "", err
	}
	root, err := rehearsal.ModuleRoot(ctx)
	if err != nil {
		return "", "", err
	}
	say("Building the provider, for %s", filepath.Base(binary))
	cliConfig, err = rehearsal.BuildProvider(ctx, root, cache)
	return binary, cliConfig, err
}

// setStage starts the balancer and the two first versions of the application.
func (d *demo) setStage(ctx context.Context, binary, cliConfig string) (err error) {
	// AWS checks health every 5 s at the most often; a demo cannot wait for it.
	d.balancer, err = localalb.Start(localalb.WithEphemeralPorts(), localalb.WithFastHealth(fastHealth))
	if err != nil {
		return err
	}
	d.stage, err = rehearsal.NewStage(ctx, d.balancer.URL(), 80, "blue", "green")
	if err != nil {
		return err
	}
	for _, name := range []string{"blue", "green"} {
		if err := d.stage.Deploy(ctx, name, rehearsal.AppTerms{Version: d.versions[name], Delay: appDelay}); err != nil {
			return err
		}
	}
	d.url = "http://" + d.balancer.ListenerAddr(d.stage.Listener)
	root, err := rehearsal.ModuleRoot(ctx)
	if err != nil {
		return err
	}
	quickstart := filepath.Join(root, "examples", "quickstart")
	if d.dir, err = os.MkdirTemp("", "bluegreen-demo-"); err != nil {
		return err
	}
	d.terraform, err = rehearsal.NewTerraform(binary, cliConfig, d.balancer.URL(), quickstart, d.dir)
	if err != nil {
		return err
	}
	say("A load balancer of this machine's own answers at %s (it is not for production)", d.url)
	return nil
}

// configure writes what a user would edit: the versions and who is active.
func (d *demo) configure(active string) error {
	values, err := json.MarshalIndent(map[string]any{
		"listener_arn": d.stage.Listener, "target_groups": d.stage.Groups, "versions": d.versions,
		"active": active, "url": d.url, "hold": hold, "settle": settle, "steady_for": "1s",
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "terraform.tfvars.json"), values, 0o600)
}

// waitOnStage leaves everything to the user until Ctrl-C.
func (d *demo) waitOnStage(ctx context.Context) error {
	if err := d.configure("blue"); err != nil {
		return err
	}
	say("\nThe stage is set: blue runs %s and has the traffic, green runs %s. In another terminal:\n", first, second)
	say("  cd %s", d.dir)
	for _, line := range d.terraform.Env {
		say("  export %s", line)
	}
	say("  %s init && %s apply                      # adopts the listener, moves nothing",
		filepath.Base(d.terraform.Binary), filepath.Base(d.terraform.Binary))
	say("  %s apply -var active=green               # a release", filepath.Base(d.terraform.Binary))
	say("\nCtrl-C here ends it.")
	<-ctx.Done()
	return nil
}

func (d *demo) close() {
	if d.load != nil {
		d.load.Stop()
	}
	if d.watch != nil {
		d.watch.stop()
	}
	if d.stage != nil {
		d.stage.Close()
	}
	if d.balancer != nil {
		_ = d.balancer.Close()
	}
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
