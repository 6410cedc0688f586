package faults_test

import (
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

func newSet(t *testing.T, active ...faults.Fault) *faults.Set {
	t.Helper()
	set := faults.NewSet([]string{"DescribeRules", "ModifyListener"})
	for _, f := range active {
		if _, err := set.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func TestSet_rejectsWhatCouldNotHappen(t *testing.T) {
	for want, f := range map[string]faults.Fault{
		`unknown fault kind "Flood": known kinds are [Throttle ServerError DropConnection DropAnswer LostWrite StaleRead SlowRead Slow LateSync AccessDenied ExpiredToken]`: {Kind: "Flood"},
		`unknown action "ModifyListner" of a fault: known actions are [DescribeRules ModifyListener]`:                                                                       {Kind: faults.Throttle, Action: "ModifyListner"},
		"fault Slow: delay, times and skip must not be negative":                                                                                                            {Kind: faults.Slow, Delay: -time.Second},
	} {
		set := newSet(t)
		if _, err := set.Add(f); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if left := set.List(); len(left) != 0 {
			t.Errorf("a rejected fault is active: %v", left)
		}
	}
}

func TestSet_delaysAddUpAndTheOldestOtherFaultWins(t *testing.T) {
	set := newSet(t,
		faults.Fault{Kind: faults.LateSync, Delay: time.Second},
		faults.Fault{Kind: faults.AccessDenied, Action: "ModifyListener", Times: 1},
		faults.Fault{Kind: faults.LateSync, Delay: time.Minute},
		faults.Fault{Kind: faults.Throttle},
		faults.Fault{Kind: faults.StaleRead},
	)
	for i, want := range []faults.Effects{
		{Kind: faults.AccessDenied, SyncDelay: time.Minute + time.Second},
		{Kind: faults.Throttle, SyncDelay: time.Minute + time.Second},
	} {
		if got := set.Match("ModifyListener", nil, true); !reflect.DeepEqual(got, want) {
			t.Errorf("call %d: got %+v, want %+v", i+1, got, want)
		}
	}
	if got, want := set.Match("DescribeRules", nil, false), (faults.Effects{Kind: faults.Throttle, Stale: true}); got != want {
		t.Errorf("read: got %+v, want %+v", got, want)
	}
}

func TestSet_skipTimesAndARN(t *testing.T) {
	set := newSet(t, faults.Fault{Kind: faults.ServerError, ARN: "app/web", Skip: 1, Times: 2})
	var got []faults.Kind
	for _, arn := range []string{"app/web/1", "app/api/1", "app/web/2", "app/web/3", "app/web/4"} {
		got = append(got, set.Match("ModifyListener", url.Values{"ListenerArn": {arn}}, true).Kind)
	}
	if want := []faults.Kind{"", "", faults.ServerError, faults.ServerError, ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
