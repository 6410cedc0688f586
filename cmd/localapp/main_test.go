package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == rehearsal.MachineCommand {
		exit(rehearsal.MachineMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// desk is where somebody types commands.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	balancer, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(50*time.Millisecond),
		localaws.WithManagement("127.0.0.1:0"), localaws.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = balancer.Close() })
	t.Setenv("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", balancer.URL())
	t.Setenv("LOCALAWS_MANAGEMENT", balancer.ManagementURL())
	folder := t.TempDir()
	t.Cleanup(func() {
		if err := rehearsal.Evacuate(folder); err != nil {
			t.Error(err)
		}
	})
	return desk{t, filepath.Join(folder, rehearsal.SiteDir)}
}

func (d desk) try(words string) error {
	args := strings.Fields(words)
	return run(d.t.Context(), slices.Concat(args[:2], []string{"-dir", d.dir}, args[2:]), io.Discard)
}

func (d desk) do(words string) {
	d.t.Helper()
	if err := d.try(words); err != nil {
		d.t.Fatalf("%s: %v", words, err)
	}
}

// read takes a word out of a record.
func (d desk) read(record, key string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, record+".json"))
	if err != nil {
		d.t.Fatal(err)
	}
	values := map[string]any{}
	if err := json.Unmarshal(text, &values); err != nil {
		d.t.Fatal(err)
	}
	word, ok := values[key].(string)
	if !ok {
		d.t.Fatalf("%s has no %s", record, key)
	}
	return word
}

func (d desk) pids(name string) []int {
	d.t.Helper()
	pids, err := rehearsal.PIDs(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	return pids[name]
}

func TestRun_aServiceFromItsRefusalToItsEnd(t *testing.T) {
	d := newDesk(t)
	d.do("balancer create -name web")
	d.do("group create -name app")
	group := " -group " + d.read("group-app", "arn")
	if err := d.try("service put -name app -version 1" + group); err == nil || !strings.Contains(err.Error(), rehearsal.ErrNoBalancer.Error()) {
		t.Fatalf("a group that is in no rule: %v", err)
	}
	d.do("rule create -name app -environment blue -listener " + d.read("balancer-web", "listener_arn") + group)
	d.do("service put -name app -version 1 -count 2" + group)
	old := d.pids("app")
	d.do("service put -name app -version 2" + group)
	current := d.pids("app")
	if len(old) != 2 || len(current) != 1 || slices.ContainsFunc(old, proc.Running) || !proc.Running(current[0]) {
		t.Errorf("version 1 was %v, version 2 is %v; only the latter should run", old, current)
	}
	d.do("service delete -name app -version 1") // replaced since: nothing to do
	if !proc.Running(current[0]) {
		t.Error("ending version 1 ended version 2")
	}
	for range 2 {
		d.do("service delete -name app -version 2")
		d.do("rule delete -name app")
		d.do("group delete -name app")
		d.do("balancer delete -name web")
	}
	if proc.Running(current[0]) {
		t.Error("version 2 runs after its end")
	}
	events, err := rehearsal.ReadEvents(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	want := []string{"balancer web created", "group app created", "rule app created", "service app started, version 1",
		"service app started, version 2", "service app stopped, version 1", "service app stopped, version 2",
		"rule app deleted", "group app deleted", "balancer web deleted"}
	if !slices.Equal(texts, want) {
		t.Errorf("the log says\n%s", strings.Join(texts, "\n"))
	}
}

// A replaced process finishes its requests, as a deregistered target does: its
// environment may have had traffic shortly before.
func TestRun_whatIsReplacedFinishesItsRequests(t *testing.T) {
	d := newDesk(t)
	d.do("balancer create -name web")
	d.do("group create -name app")
	group := " -group " + d.read("group-app", "arn")
	d.do("rule create -name app -environment blue -listener " + d.read("balancer-web", "listener_arn") + group)
	d.do("service put -name app -version 1" + group)
	sent, answered := make(chan struct{}), make(chan string, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.read("balancer-web", "url")+"/?for=2s", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(rehearsal.EnvironmentHeader, "blue")
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		_ = res.Body.Close()
		answered <- res.Status + ", version " + res.Header.Get(rehearsal.VersionHeader)
	}()
	<-sent
	d.do("service put -name app -version 2" + group)
	if got := <-answered; !strings.HasPrefix(got, "200 OK, version ") {
		t.Errorf("the request that was under way got %s", got)
	}
}

func TestRun_refusesWhatItDoesNotKnow(t *testing.T) {
	for _, words := range []string{"group steal", "group create more", "machine start -breaks 1.6", "machine start -boot soon"} {
		d := desk{t, filepath.Join(t.TempDir(), rehearsal.SiteDir)}
		err := d.try(words)
		if err == nil {
			t.Errorf("%s is taken", words)
		}
		golden.Record(t, fmt.Sprint(err))
	}
}
