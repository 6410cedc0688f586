package statistic

import (
	"fmt"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"SampleCount", "Average", "Sum", "Minimum", "Maximum", "IQM",
		"p0", "p50", "p99", "p99.9", "p99.9999999999", "p100", "tm99", "tc90", "ts90.5", "wm98",
		"PR(:300)", "PR(100:2000)", "PR(10:)", "PR(-1:0.5)",
		"TM(2%:98%)", "TM(150:1000)", "TM(10%:)", "TC(0.005:0.030)", "TC(:0.5)", "TS(80%:)", "WM(10%:90%)",
	} {
		if err := Validate(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "average", "P99", "p", "p99.99999999999", "Mean", "tm(10%:90%)", "TM(1:2:3)", "p101",
		"TM(:)", "TM(a:b)", "TM(10%:101%)", "TM(10%:90)", "PR(10%:90%)", "TS(90%:10%)",
	} {
		err := Validate(bad)
		if err == nil {
			t.Errorf("%q is accepted", bad)
		}
		golden.Record(t, fmt.Sprint(err))
	}
}
