package provider_test

import (
	"strings"
	"testing"
)

// regionGates are gates that need a region and have none.
func regionGates() map[string]string {
	return map[string]string{
		"metric": block("cloudwatch_metric", `namespace = "App"`, `metric = "Age"`, `stat = "Maximum"`, "max = 1"),
		"alarm":  block("cloudwatch_alarm", `names = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:far", "near"]`),
		"signed": block("prometheus", `url = "https://prometheus.example.com"`, `query = "up"`, "min = 1", "sigv4 {}"),
	}
}

// withoutRegion is a configuration whose provider has no region.
func withoutRegion(text string) string {
	return strings.Replace(text, `region = "us-east-1"`, "", 1)
}

// Records have no region. A gate that needs one is an error at plan where the provider has none, in a switch as in a
// readiness check, unless it is report-only.
func TestRecords_gatesWithoutRegion(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	for name, gate := range regionGates() {
		r := s.release("blue")
		r.gates = gateBlock("figures", gate)
		w.write(withoutRegion(r.String()))
		w.plan().failsAs(name)
		ready := s.release("blue").String()
		w.write(withoutRegion(strings.Replace(ready, "backed_by = []", "backed_by = []\n ready {\n"+gateBlock("figures", gate)+"\n}", 1)))
		w.plan().failsAs("ready " + name)
		r.gates = gateBlock("figures", gate, "dry_run = true")
		w.write(withoutRegion(r.String()))
		w.plan().ok()
	}
}

// The region of the provider is the one of the gates of records.
func TestRecords_gatesInTheRegionOfTheProvider(t *testing.T) {
	t.Parallel()
	s, w := newDNSSite(t), newWorkspace(t)
	w.write(s.release("blue").String())
	w.apply().ok()
	r := s.release("green")
	r.gates = gateBlock("figures", block("cloudwatch_alarm", `names = ["near"]`))
	w.write(r.String())
	w.apply().failsAs("")
	s.mustHaveAll("blue")
}
