package ledger

import "slices"

// Switch is a planned switch, for the ledger of its routes. Its id is what its plan gets from
// Ledger.Identify.
type Switch struct {
	ID int
	// Text identifies the switch for people: the provider does not know its address.
	Text string
}

// Identify returns the id of a switch that is being planned. Terraform plans a switch that it replaces
// twice and passes the private state of the first plan to the second: id is the one in that private
// state, 0 without any. An id that this ledger did not give away is from another run.
func (l *Ledger) Identify(id int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id > 0 && id <= l.switches {
		return id
	}
	l.switches++
	return l.switches
}

// PlanRoute records a route of a planned switch. It returns the other switch that is planned with the
// route, and records nothing then. A switch that is being destroyed is not planned, so that another one can
// take over its routes. A Ledger belongs to one provider configuration, and Terraform runs each in a
// process of its own: two switches of two aliases are not compared.
func (l *Ledger) PlanRoute(route string, by Switch) (other Switch, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	other, is = l.routes[route]
	if is && other.ID != by.ID {
		return other, true
	}
	l.routes[route] = by
	return Switch{}, false
}

// See records routes of a switch, whatever its plan is: those of its state, of its plan, and those that
// it wrote. The groups are those of its environments.
func (l *Ledger) See(routes, groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, route := range routes {
		if route != "" {
			l.seen[route] = true
		}
	}
	for _, group := range groups {
		l.switched[group] = l.switched[group] || group != ""
	}
}

// Adopt records the groups of an environment that a switch has, by the id of the environment.
func (l *Ledger) Adopt(id string, groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adopted[id] = groups
}

// Adopted returns the groups of the environment with an id; nil: no switch that was seen in this run has it.
func (l *Ledger) Adopted(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.adopted[id]
}

// PlanGroups records the target groups of the environments of a planned switch, which leaves them attached.
func (l *Ledger) PlanGroups(groups []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range groups {
		l.planned[group] = true
	}
}

// IsPlanned reports whether a planned switch has an environment with the group.
func (l *Ledger) IsPlanned(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.planned[group]
}

// IsSwitched reports whether a switch that was seen in this run has an environment with the group, so that Seen
// has the routes that it may have attached the group to.
func (l *Ledger) IsSwitched(group string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.switched[group]
}

// Seen returns the routes of all switches that were seen in this run, sorted.
func (l *Ledger) Seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var routes []string
	for route := range l.seen {
		routes = append(routes, route)
	}
	slices.Sort(routes)
	return routes
}

// PlanTest records a test route of an environment that stays. It returns true, and records nothing, where
// the route is one of a planned switch. Terraform may plan the two in either order, so both sides check.
func (l *Ledger) PlanTest(route, environment string) (conflict bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, conflict = l.routes[route]; conflict {
		return true
	}
	l.tests[route] = environment
	return false
}

// IsTest returns the environment of which the route is a test route.
func (l *Ledger) IsTest(route string) (environment string, is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	environment, is = l.tests[route]
	return environment, is
}

// IsRoute reports whether a switch that was seen in this run has the route.
func (l *Ledger) IsRoute(route string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[route]
}
