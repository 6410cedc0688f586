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
	set := faults.NewSet([]string{"DescribeRules", "DescribeTags", "ModifyListener"})
	for _, f := range active {
		if _, err := set.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	return set
}

func TestSet_rejectsWhatCouldNotHappen(t *testing.T) {
	for want, f := range map[string]faults.Fault{
		`unknown fault kind "Flood": known kinds are [Throttle ServerError DropConnection DropAnswer LostWrite StaleRead LateTags SlowRead Slow LateExecution LateSync AccessDenied ExpiredToken EmptyBody HTMLBody CutAnswer EmptyList PriorRequest]`: {Kind: "Flood"},
		`unknown action "ModifyListner" of a fault: known actions are [DescribeRules DescribeTags ModifyListener]`:                                                                                                                                     {Kind: faults.Throttle, Action: "ModifyListner"},
		"fault Slow: delay, times and skip must not be negative":                           {Kind: faults.Slow, Delay: -time.Second},
		"fault LateTags: delay must be positive":                                           {Kind: faults.LateTags},
		"fault LateTags: it affects DescribeTags only, not DescribeRules":                  {Kind: faults.LateTags, Delay: time.Second, Action: "DescribeRules"},
		"fault StaleRead: it affects reads only, and ModifyListener is a write":            {Kind: faults.StaleRead, Action: "ModifyListener"},
		"fault SlowRead: it affects reads only, and ModifyListener is a write":             {Kind: faults.SlowRead, Action: "ModifyListener"},
		"fault EmptyList: it affects reads only, and ModifyListener is a write":            {Kind: faults.EmptyList, Action: "ModifyListener"},
		"fault PriorRequest: it affects ChangeResourceRecordSets only, not ModifyListener": {Kind: faults.PriorRequest, Action: "ModifyListener"},
		"fault LostWrite: it affects writes only, and DescribeRules is a read":             {Kind: faults.LostWrite, Action: "DescribeRules"},
		"fault LateExecution: it affects writes only, and DescribeRules is a read":         {Kind: faults.LateExecution, Action: "DescribeRules"},
		"fault LateSync: it affects writes only, and DescribeRules is a read":              {Kind: faults.LateSync, Action: "DescribeRules"},
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
	if got := set.Match("DescribeRules", nil, false); got.Kind != faults.Throttle || !got.Stale || got.SyncDelay != 0 {
		t.Errorf("read: got %+v", got)
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

func TestSet_lateTagsOfOneResource(t *testing.T) {
	set := newSet(t,
		faults.Fault{Kind: faults.LateTags, ARN: "listener/app/web", Delay: time.Second},
		faults.Fault{Kind: faults.LateTags, Delay: time.Minute, Times: 1},
		faults.Fault{Kind: faults.StaleRead, ARN: "listener/app/api", Action: "DescribeTags"},
	)
	both := url.Values{"ResourceArns.member.1": {"listener/app/web/1"}, "ResourceArns.member.2": {"listener/app/api/1"}}
	for i, want := range [][]time.Duration{{time.Minute + time.Second, time.Minute}, {time.Second, 0}} {
		got := set.Match("DescribeTags", both, false)
		if delays := []time.Duration{got.TagDelay("listener/app/web/1"), got.TagDelay("listener/app/api/1")}; !reflect.DeepEqual(delays, want) {
			t.Errorf("call %d: got %v, want %v", i+1, delays, want)
		}
		if got.StaleTags("listener/app/web/1") || !got.StaleTags("listener/app/api/1") {
			t.Errorf("call %d: the wrong tags are stale", i+1)
		}
	}
	if got := set.Match("DescribeRules", both, false); got.TagDelay("listener/app/web/1") != 0 || got.Stale {
		t.Errorf("another action: got %+v", got)
	}
}

func TestSet_emptyAnswers(t *testing.T) {
	for action, want := range map[string][]faults.Kind{"DescribeRules": {faults.EmptyList, ""}, "ModifyListener": {faults.EmptyBody, ""}} {
		set := newSet(t, faults.Fault{Kind: faults.EmptyList, Times: 1}, faults.Fault{Kind: faults.EmptyBody, Times: 1})
		for i, kind := range want {
			if got := set.Match(action, nil, action == "ModifyListener").Kind; got != kind {
				t.Errorf("%s, call %d: got %q, want %q", action, i+1, got, kind)
			}
		}
	}
}
