package provider_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/faults"
)

// abandon writes the record of the last shift to the listener again as that of another one, whose process was killed.
func (s *site) abandon() {
	s.t.Helper()
	shifts, tags := "", map[string]string{}
	for _, call := range s.srv.Calls() {
		if call.Action != "AddTags" {
			continue
		}
		for n := 1; call.Params.Get(fmt.Sprintf("Tags.member.%d.Key", n)) != ""; n++ {
			key := call.Params.Get(fmt.Sprintf("Tags.member.%d.Key", n))
			if shift := strings.Join(strings.Split(key, "/")[:2], "/"); shift != shifts {
				shifts, tags = shift, map[string]string{}
			}
			tags[key] = call.Params.Get(fmt.Sprintf("Tags.member.%d.Value", n))
		}
	}
	if len(tags) == 0 {
		s.t.Fatal("no shift left a record")
	}
	input := &elbv2.AddTagsInput{ResourceArns: []string{s.listener}}
	for key, value := range tags {
		key = strings.Replace(key, "Z-", "Z-0", 1)
		value = regexp.MustCompile(`phase=\S+`).ReplaceAllString(value, "phase=open")
		value = regexp.MustCompile(`start=\S+`).ReplaceAllString(value, "start=1") // an earlier process with the same id
		input.Tags = append(input.Tags, types.Tag{Key: new(key), Value: new(value)})
	}
	_, err := s.api.AddTags(s.t.Context(), input)
	s.must(err)
}

// abandonedShift is a shift from blue to green that did not end. LoadBalancerArns of neither group is up to date.
func abandonedShift(t *testing.T, life string, now weights) (*site, *workspace) {
	t.Helper()
	s, w := newSite(t, localaws.WithStaleGroupBalancers()), newWorkspace(t)
	w.raises(s, s.pair(`"blue", "green"`, "blue", life)).ok()
	w.raises(s, s.pair(`"blue", "green"`, "green", life)).ok()
	s.abandon()
	all := weights{}
	for group, weight := range now {
		all[map[string]string{"blue": s.blue.group, "green": s.green.group}[group]] = weight
	}
	s.changeExternally(s.listener, forward(all))
	return s, w
}

// The environments of a shift that did not end are not destroyed before the switch is applied: neither its goal,
// nor what it is rolled back to, whatever the weights are.
func TestEnvironment_openRecord(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now  weights
		idle []string
	}{
		"before its first write": {weights{"blue": 100, "green": 0}, []string{"green"}},
		"not attached":           {weights{"blue": 100}, []string{"green"}},
		"at 100 %":               {weights{"blue": 0, "green": 100}, []string{"blue"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, w := abandonedShift(t, "", c.now)
			r := w.terraform("destroy", "-json", "-auto-approve", "-input=false")
			if r.err == nil || len(w.resources()) < 2 {
				t.Fatalf("left are %v: %s", w.resources(), r.text())
			}
			slices.SortFunc(r.errors, func(a, b message) int { return strings.Compare(a.Summary, b.Summary) })
			r.failsAs("error")
			for _, idle := range c.idle {
				if w.resources()[fmt.Sprintf("bluegreen_environment.app[%q]", idle)] == nil {
					t.Errorf("%s is not in the state: %s", idle, r.text())
				}
			}
		})
	}
}

// The switch removes the record before the environment is destroyed, in the same apply.
func TestEnvironment_openRecord_removedInTheSameApply(t *testing.T) {
	t.Parallel()
	const life = "create_before_destroy = true"
	s, w := abandonedShift(t, life, weights{"blue": 0, "green": 100})
	w.raises(s, s.pair(`"green"`, "green", life)).ok()
	s.want("app-green 100")
	if len(w.resources()) != 2 {
		t.Errorf("left are %v", w.resources())
	}
}

// A record that cannot be read may be open; without protection it is not read.
func TestEnvironment_openRecord_unreadable(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	w.raises(s, s.pair(`"blue", "green"`, "blue", "")).ok()
	remove := s.srv.Inject(faults.Fault{Action: "DescribeTags", Kind: faults.AccessDenied})
	r := w.terraform("destroy", "-json", "-auto-approve", "-input=false", "-refresh=false")
	remove()
	if r.err == nil || !strings.Contains(r.text(), "DescribeTags") || w.resources()[`bluegreen_environment.app["green"]`] == nil {
		t.Errorf("left are %v: %s", w.resources(), r.text())
	}
}

// A destroy reads the records before the drain and before it detaches, and health only where no route is known.
func TestEnvironment_callsOfADestroy(t *testing.T) {
	t.Parallel()
	s, w := newSite(t), newWorkspace(t)
	const life = "create_before_destroy = true"
	w.raises(s, s.pair(`"blue", "green"`, "blue", life)).ok()
	w.write(settings(s.bench, "") + s.pair(`"blue"`, "blue", life))
	w.plan().ok()
	tags, health := s.calls("DescribeTags"), s.calls("DescribeTargetHealth")
	w.applyPlan().ok()
	tags, health = s.calls("DescribeTags")-tags, s.calls("DescribeTargetHealth")-health
	if tags != 3 || health != 0 { // and that of the switch
		t.Errorf("%d calls of DescribeTags and %d of DescribeTargetHealth", tags, health)
	}

	alone := s.app("alone")
	other := env{name: "alone", groups: fmt.Sprintf("web = %q", alone.group)}
	w = newWorkspace(t)
	w.raises(s, other).ok()
	w.write(settings(s.bench, ""))
	w.plan().ok()
	tags, health = s.calls("DescribeTags"), s.calls("DescribeTargetHealth")
	w.applyPlan().ok()
	tags, health = s.calls("DescribeTags")-tags, s.calls("DescribeTargetHealth")-health
	if tags != 0 || health != 1 {
		t.Errorf("alone, %d calls of DescribeTags and %d of DescribeTargetHealth", tags, health)
	}
}
