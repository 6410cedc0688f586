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

// Credentials that are refused may belong to another partition.
func TestRecordDetail_ofRefusedCredentials(t *testing.T) {
	d, is := recordDetail(&route53.CallError{Action: "route53:ListResourceRecordSets", ID: "Z1/app.example.com/A", Err: traffic.ErrExpired})
	if !is || !strings.Contains(d.Action, "For AWS GovCloud (US) and China, region in the block aws") {
		t.Errorf("%t, %+v", is, d)
	}
}

// Every id of a call is named in a sentence.
func TestRecordName(t *testing.T) {
	for id, want := range map[string]string{
		"Z0123456789ABC":                       "hosted zone Z0123456789ABC",
		"Z0123456789ABC/app.example.com/A":     "record app.example.com A",
		"Z0123456789ABC/app.example.com#green": `record set "green" of app.example.com`,
		"/change/C0123456789ABC":               "change C0123456789ABC",
		"01234567-89ab-cdef-0123-456789abcdef": "health check 01234567-89ab-cdef-0123-456789abcdef",
	} {
		if got := recordName(id, ""); got != want {
			t.Errorf("%s is %q, want %q", id, got, want)
		}
	}
	if got := recordName("Z0123456789ABC/app.example.com/A", noSuchZone); got != "hosted zone Z0123456789ABC" {
		t.Errorf("it is %q where the zone does not exist", got)
	}
}
