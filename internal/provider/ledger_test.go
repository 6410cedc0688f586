package provider

import (
	"slices"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// Terraform plans a switch and a destroyed environment in either order; exactly one
// of them reports the traffic that would remain.
func TestLedger_oneOfBothReportsInEitherOrder(t *testing.T) {
	l := newLedger()
	if _, is := l.destroy("blue", []string{"web-blue", "api-blue"}); is {
		t.Error("reported without any traffic")
	}
	if name, is := l.use("api-blue", shift.Full); !is || name != "blue" {
		t.Errorf("the switch is warned of %q", name)
	}

	l = newLedger()
	if name, is := l.use("api-blue", shift.Full); is {
		t.Errorf("the switch is warned of %q", name)
	}
	if share, is := l.destroy("blue", []string{"web-blue", "api-blue"}); !is || share != shift.Full {
		t.Errorf("the environment is warned of %s", share)
	}
	if name, is := l.use("web-blue", shift.Full); is {
		t.Errorf("%q is reported twice", name)
	}
}

// The replaced instance is destroyed while its environment remains.
func TestLedger_remainingEnvironmentHoldsItsGroups(t *testing.T) {
	l := newLedger()
	l.remain([]string{"web-blue"})
	l.use("web-blue", shift.Full)
	if _, is := l.destroy("blue", []string{"web-blue"}); is {
		t.Error("the environment is warned")
	}
	if name, is := l.use("web-blue", shift.Full); is {
		t.Errorf("the switch is warned of %q", name)
	}
}

func TestLedger_claimsAndChanges(t *testing.T) {
	l := newLedger()
	l.claim([]string{"web-blue"})
	if got := l.unclaimed([]string{"web-blue", "api-blue"}); !slices.Equal(got, []string{"api-blue"}) {
		t.Errorf("unclaimed are %q", got)
	}
	l.change(environmentChange{environment: "blue", changes: []string{"version"}}, []string{"web-blue"})
	if a, is := l.isChanged("web-blue"); !is || a.environment != "blue" {
		t.Errorf("altered is %v", a)
	}
	if _, is := l.isChanged("web-green"); is {
		t.Error("a group without an environment is altered")
	}
}
