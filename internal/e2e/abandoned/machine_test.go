//go:build unix

package abandoned

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

// elsewhere makes the record that of another machine, whose lease has expired.
func elsewhere(t *testing.T, w *e2e.World) {
	t.Helper()
	expires := fmt.Sprintf("expires=%d", time.Now().Add(-time.Minute).Unix())
	var tags []types.Tag
	for key, value := range w.Balancer.Tags(w.Stack.Listener) {
		value = regexp.MustCompile(`boot=\S+`).ReplaceAllString(value, "boot=another")
		value = regexp.MustCompile(`expires=\d+`).ReplaceAllString(value, expires)
		tags = append(tags, types.Tag{Key: new(key), Value: new(value)})
	}
	if _, err := w.Stack.Client().AddTags(t.Context(), &elb.AddTagsInput{ResourceArns: []string{w.Stack.Listener}, Tags: tags}); err != nil {
		t.Fatal(err)
	}
}

// A CI runner is lost at 100 %, and another one rolls back: whether the first one still runs is not
// known there, but users do not wait on a bad version for that.
func TestAbandoned_onAnotherMachine(t *testing.T) {
	t.Parallel()
	w := killedAt100(t)
	elsewhere(t, w)
	w.SetGates(failing)
	w.MustConfigure("blue")
	mark := w.Mark()
	w.MustApply(e2e.Unlocked)
	w.MustHaveAll("blue")
	if n := w.Writes(mark); n != 1 {
		t.Errorf("%d writes, want 1", n)
	}
	const watching = 30 // reads of a record that is watched for three minutes
	reads := 0
	for _, call := range w.Balancer.Calls()[mark:] {
		if isRead := nth("DescribeTags"); isRead(call) {
			reads++
		}
	}
	if reads > watching {
		t.Errorf("the record was read %d times before the rollback", reads)
	}
	settled(t, w)
	w.LostNothing()
}
