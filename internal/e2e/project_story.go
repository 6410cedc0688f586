package e2e

import (
	"slices"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// Moment is an event from one of three sources: Terraform, the log of localapp, the
// journal of the load balancer.
type Moment struct {
	at   time.Time
	what string
}

// Events returns the log of localapp.
func (p *Project) Events() []string {
	p.T.Helper()
	events, err := rehearsal.ReadEvents(p.Site())
	p.Must(err)
	var texts []string
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	return texts
}

// Since returns the moments after a time, from all three sources; of the journal
// only the writes that move traffic.
func (p *Project) Since(begin time.Time) []Moment {
	p.T.Helper()
	story := slices.Clone(p.moments)
	events, err := rehearsal.ReadEvents(p.Site())
	p.Must(err)
	for _, e := range events {
		story = append(story, Moment{e.At, e.Text})
	}
	for _, c := range p.Balancer.Calls() {
		if c.Action == "ModifyListener" || c.Action == "ModifyRule" {
			story = append(story, Moment{c.At, c.Action})
		}
	}
	story = slices.DeleteFunc(story, func(m Moment) bool { return m.at.Before(begin) })
	slices.SortStableFunc(story, func(a, b Moment) int { return a.at.Compare(b.at) })
	return story
}

// InOrder checks that each of these happened once, in this order, with anything in
// between.
func (p *Project) InOrder(story []Moment, expected ...string) {
	p.T.Helper()
	var texts []string
	for _, m := range story {
		texts = append(texts, m.what)
	}
	var found []string
	for _, text := range texts {
		if slices.Contains(expected, text) {
			found = append(found, text)
		}
	}
	if !slices.Equal(found, expected) {
		p.T.Errorf("the order was\n  %s\nit should be\n  %s\nof all that happened:\n  %s",
			strings.Join(found, "\n  "), strings.Join(expected, "\n  "), strings.Join(texts, "\n  "))
	}
}

// Never checks that none of these happened.
func (p *Project) Never(story []Moment, unwanted ...string) {
	p.T.Helper()
	for _, m := range story {
		if slices.Contains(unwanted, m.what) {
			p.T.Errorf("it must not happen: %s", m.what)
		}
	}
}

// When returns when something happened last.
func (p *Project) When(what string) time.Time {
	p.T.Helper()
	for _, m := range slices.Backward(p.Since(time.Time{})) {
		if m.what == what {
			return m.at
		}
	}
	p.T.Fatalf("it did not happen: %s", what)
	return time.Time{}
}
