package platform

import (
	"strings"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// A record that was not written because of another one has the cause of that one. Only a change by
// others is one.
func TestRecordDetail_ofABatch(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		want  string
	}{
		"missing": {&route53.CallError{Action: "route53:ListResourceRecordSets", ID: "Z1/app.example.com#green", Err: &traffic.MissingError{ID: "Z1/app.example.com#green"}},
			`record set "green" of app.example.com does not exist`},
		"not weighted": {&route53.NotWeightedError{Route: "Z1/app.example.com/A", Policy: "simple"}, `the routing policy "simple"`},
		"changed":      {&route53.ChangedError{Route: "Z1/app.example.com/A"}, "Something else changed the records"},
	} {
		d, is := recordDetail(&route53.BatchError{Cause: c.cause})
		if !is || !strings.Contains(d.Cause, c.want) {
			t.Errorf("%s: %q, want %q", name, d.Cause, c.want)
		}
	}
}
