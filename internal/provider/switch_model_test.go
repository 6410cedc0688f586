package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

func TestTrafficConfigOf(t *testing.T) {
	weights := func(blue, green shift.Share) types.Map {
		return weightsValue(shift.Weights{"blue": blue, "green": green})
	}
	null, unknown := types.MapNull(types.NumberType), types.MapUnknown(types.NumberType)
	for name, c := range map[string]struct {
		active         types.String
		weights        types.Map
		byActive, both bool
		leave          bool
	}{
		"active":                 {types.StringValue("blue"), null, true, true, false},
		"weights":                {types.StringNull(), weights(500, 500), false, true, false},
		"neither":                {types.StringNull(), null, false, true, true},
		"both agree":             {types.StringValue("blue"), weights(1000, 0), false, true, true},
		"both and they disagree": {types.StringValue("blue"), weights(500, 500), false, false, true},
		"no route forwards":      {types.StringNull(), weights(0, 0), false, true, true},
		"weights not known yet":  {types.StringValue("blue"), unknown, false, true, false},
	} {
		got, agree := trafficConfigOf(switchModel{Active: c.active, Weights: c.weights})
		if agree != c.both || got.ignored != c.leave || (got.active != nil) != c.byActive {
			t.Errorf("%s: %+v, %v", name, got, agree)
		}
	}
}

// A computed share equals the number that Terraform parses from text.
func TestShareValue_isExact(t *testing.T) {
	for s := range shift.Full + 1 {
		again := sharesOf(types.MapValueMust(types.NumberType, map[string]attr.Value{"x": shareValue(s)}))["x"]
		if again != s {
			t.Fatalf("%d became %d", s, again)
		}
	}
	if got := shareValue(333).String(); got != "33.3" {
		t.Error(got)
	}
}
