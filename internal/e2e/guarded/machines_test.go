//go:build linux

package guarded

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/proc"
)

var expiry = regexp.MustCompile(`\bexpires=\d+`)

// expire lets the lease of the shift on the listener expire two hours ago, as if that time had passed.
func expire(t *testing.T, w *e2e.World) {
	t.Helper()
	var tags []types.Tag
	for key, value := range w.Balancer.Tags(w.Stack.Listener) {
		tags = append(tags, types.Tag{Key: new(key), Value: new(expiry.ReplaceAllString(value, "expires="+strconv.FormatInt(time.Now().Add(-2*time.Hour).Unix(), 10)))})
	}
	if _, err := w.Stack.Client().AddTags(t.Context(), &elb.AddTagsInput{ResourceArns: []string{w.Stack.Listener}, Tags: tags}); err != nil {
		t.Fatal(err)
	}
}

// The first process of a container ends, and with it every other one: the record stays.
func TestGuardian_containerEnds(t *testing.T) {
	t.Parallel()
	w := e2e.NewQuietWorld(t, e2e.Endless)
	w.MustConfigure("green")
	container := e2e.Elsewhere(t, w.Terraform.Command("apply", "-no-color", "-auto-approve"))
	if err := container.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor5(w)
	w.Eventually("the guardian runs", func() bool { return e2e.RunsGuardian(w.Terraform.Dir) })
	for _, pid := range e2e.Children(container.Process.Pid)[:1] {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = container.Wait()
	w.Eventually("no process is left", func() bool { return !e2e.RunsGuardian(w.Terraform.Dir) && !e2e.RunsProvider(w.Terraform.Dir) })
	if weights := w.Weights(); weights["green"] != 5 {
		t.Errorf("the split is %v", weights)
	}
	expire(t, w) // a next job has other processes, and waits for the lease
	w.MustConfigure("blue")
	mark := w.Mark()
	out, ok := w.RunElsewhere("apply", "-no-color", "-auto-approve", e2e.Unlocked)
	if n := w.Writes(mark); !ok || n != 1 {
		t.Errorf("the next apply succeeded: %t, with %d writes\n%s", ok, n, out)
	}
	w.MustHaveAll("blue")
	w.LostNothing()
}

// A job is canceled as GitLab's shell executor does it: TERM to the process group, then KILL. With
// an API that takes 1.2 s a call, the KILL comes in the rollback.
func TestGuardian_canceledGroup(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	defer w.Balancer.Inject(slowCalls)()
	if err := proc.SignalGroup(apply.Command, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait(time.Second)
	if err := proc.SignalGroup(apply.Command, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	apply.Wait()
	if late := returned(w, time.Now(), 4*slowCalls.Delay); late != "" {
		t.Error(late)
	}
	w.LostNothing()
}

// A guardian has no terminal, file or pipe of the apply, so it prints nothing into a later prompt.
func TestGuardian_hasNoTerminal(t *testing.T) {
	t.Parallel()
	w, apply := holding(t, nil)
	for _, pid := range apply.Guardians() {
		for _, fd := range []string{"0", "1", "2"} {
			file, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + fd)
			if err != nil {
				t.Error(err)
			}
			of, err := os.Readlink("/proc/" + strconv.Itoa(apply.Command.Process.Pid) + "/fd/" + fd)
			if err != nil || file == of || strings.HasPrefix(file, "/dev/pts") {
				t.Errorf("file %s of the guardian is %s, of Terraform %s (%v)", fd, file, of, err)
			}
		}
		if terminal := strings.Fields(stat(t, pid))[4]; terminal != "0" {
			t.Errorf("its terminal is %s", terminal)
		}
	}
	if err := proc.Interrupt(apply.Command); err != nil {
		t.Fatal(err)
	}
	apply.Wait()
	w.MustHaveAll("blue")
	w.LostNothing()
}

// stat returns /proc/PID/stat after the name.
func stat(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return rest
}
