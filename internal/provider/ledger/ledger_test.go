package ledger

import (
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Terraform plans a switch and a destroyed environment in either order; exactly one
// of them reports the traffic that would remain.
func TestLedger_oneOfBothReportsInEitherOrder(t *testing.T) {
	l := New()
	if _, is := l.Destroy("blue", []string{"web-blue", "api-blue"}); is {
		t.Error("reported without any traffic")
	}
	if name, is := l.Use("api-blue", shift.Full); !is || name != "blue" {
		t.Errorf("the switch is warned of %q", name)
	}

	l = New()
	if name, is := l.Use("api-blue", shift.Full); is {
		t.Errorf("the switch is warned of %q", name)
	}
	if share, is := l.Destroy("blue", []string{"web-blue", "api-blue"}); !is || share != shift.Full {
		t.Errorf("the environment is warned of %s", share)
	}
	if name, is := l.Use("web-blue", shift.Full); is {
		t.Errorf("%q is reported twice", name)
	}
}

// The replaced instance is destroyed while its environment remains.
func TestLedger_remainingEnvironmentHoldsItsGroups(t *testing.T) {
	l := New()
	l.Remain([]string{"web-blue"})
	l.Use("web-blue", shift.Full)
	if _, is := l.Destroy("blue", []string{"web-blue"}); is {
		t.Error("the environment is warned")
	}
	if name, is := l.Use("web-blue", shift.Full); is {
		t.Errorf("the switch is warned of %q", name)
	}
}

// A replacement with create_before_destroy: the old object is planned again after the switch.
func TestLedger_claimedEnvironmentHoldsItsGroups(t *testing.T) {
	l := New()
	l.Claim([]string{"web-blue"})
	l.Use("web-blue", shift.Full)
	if _, is := l.Destroy("blue", []string{"web-blue"}); is {
		t.Error("the environment is warned")
	}
}

func TestLedger_claimsAndChanges(t *testing.T) {
	l := New()
	l.Claim([]string{"web-blue"})
	if got := l.Unclaimed([]string{"web-blue", "api-blue"}); !slices.Equal(got, []string{"api-blue"}) {
		t.Errorf("unclaimed are %q", got)
	}
	l.RecordChange(Change{Environment: "blue", Changes: []string{"version"}}, []string{"web-blue"})
	if a, is := l.IsChanged("web-blue"); !is || a.Environment != "blue" {
		t.Errorf("altered is %v", a)
	}
	if _, is := l.IsChanged("web-green"); is {
		t.Error("a group without an environment is altered")
	}
}
