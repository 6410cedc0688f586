package route53

import (
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/nameserver"
)

// change is a change of a zone on its way to the name servers.
type change struct {
	id, zone, comment string
	submitted         time.Time
	due               time.Time        // when it becomes INSYNC, unless changes are held
	view              *nameserver.Zone // the zone with the change, nil for one that was deleted
	inSync            bool
}

type changeInfo struct {
	ID          string `xml:"Id"`
	Status      string
	SubmittedAt string
	Comment     string `xml:",omitempty"`
}

type changeResult struct {
	ChangeInfo changeInfo
}

func (ch *change) show() changeInfo {
	out := changeInfo{ID: "/change/" + ch.id, Status: "PENDING", SubmittedAt: ch.submitted.UTC().Format("2006-01-02T15:04:05.000Z"), Comment: ch.comment}
	if ch.inSync {
		out.Status = "INSYNC"
	}
	return out
}

// submit returns the change of a call, which is PENDING if the call succeeds. view is the zone with the change.
func (c *call) submit(zoneID, comment string, view *nameserver.Zone) *change {
	ch := &change{id: newID("C"), zone: zoneID, comment: comment, submitted: c.now, view: view}
	c.submitted = append(c.submitted, ch)
	return ch
}

// enqueue makes a change PENDING.
func (s *Service) enqueue(ch *change, now time.Time, delay time.Duration) {
	ch.due = now.Add(s.opts.Propagation + delay)
	s.changes[ch.id] = ch
	s.queues[ch.zone] = append(s.queues[ch.zone], ch)
	if s.opts.Processing > 0 {
		s.busy[ch.zone] = now.Add(s.opts.Processing)
	}
	s.settle(now)
}

// lose makes changes INSYNC that never reach a name server.
func (s *Service) lose(changes []*change) {
	for _, ch := range changes {
		ch.inSync = true
		s.changes[ch.id] = ch
	}
}

// settle publishes the changes that are due. Those of a zone become INSYNC in their order.
func (s *Service) settle(now time.Time) {
	if s.holds > 0 {
		return
	}
	for id, queue := range s.queues {
		for len(queue) > 0 && !now.Before(queue[0].due) {
			s.publish(queue[0])
			queue = queue[1:]
		}
		s.queues[id] = queue
	}
}

func (s *Service) publish(ch *change) {
	ch.inSync = true
	if ch.view == nil {
		delete(s.published, ch.zone)
		return
	}
	s.published[ch.zone] = ch.view
}

// Hold keeps all changes PENDING until release is called.
func (s *Service) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(s.opts.Now())
	s.holds++
	released := false
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !released {
			released = true
			s.holds--
		}
	}
}

type changeID struct {
	ID string `json:"Id"`
}

func getChange(c *call, in changeID) (any, error) {
	ch := c.changes[strings.TrimPrefix(in.ID, "/change/")]
	if ch == nil {
		return nil, notFound("NoSuchChange", "Could not find resource with ID: %s", in.ID)
	}
	return changeResult{ch.show()}, nil
}

// Zones returns the hosted zones as the name servers have them now.
func (s *Service) Zones() map[string]*nameserver.Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(s.opts.Now())
	out := map[string]*nameserver.Zone{}
	for _, z := range s.published {
		// Route 53 assigns other name servers to a second zone of the same name; here, the oldest one answers.
		if other := out[z.Name()]; other == nil || s.olderZone(z.ID(), other.ID()) {
			out[z.Name()] = z
		}
	}
	return out
}

// Balancer returns the load balancer with a DNS name.
func (s *Service) Balancer(name string) (nameserver.Balancer, bool) {
	return s.opts.Balancer(strings.TrimPrefix(name, "dualstack."))
}
