package rollout_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// story is a shift and all changes while it runs. It is written as a script
// (testdata/*.txt) or drawn at random. Groups are named after their entry point and
// their environment: web-blue.
//
//	env NAME [VERSION] [removed] [changed]   changed: another version than the last completed shift had
//	groups ENV ENTRY=GROUP...      default: ENTRY-ENV behind every entry point
//	route ID ENV=WEIGHT... [sticky=TIME] [cached=TIME] | fixed | redirect   web/2 belongs to entry point web
//	targets ENV|GROUP N [STATE] [N STATE]...   a STATE of traffic, or function: a healthy function
//	stable ENV=PERCENT...          none: a Create
//	planned ID like route | none   default: the state of the route
//	desired ENV[=PERCENT]...       none: leave the traffic in place
//	steps PERCENT/HOLD... bake TIME, baseline PERCENT, settle TIME, sticky TIME
//	health KEY=VALUE...            timeout, steady, breach, capacity, min_percent, min_targets
//	gate NAME WHEN [KEY=VALUE]...  interval, timeout, delay, failures, errors, inconclusive, on_inconclusive, at=PERCENT[+PERCENT], dry, once, approval, takes, preflight=RESPONSE
//	returns NAME RESPONSE...       one per call, the last one repeats; RESPONSE@TIME: from then on
//	fault KIND OP [KEY=VALUE]...   route, by, skip, times, until, for, err
//	at TIME interrupt | targets ... | change ID ... | remove ID | remove_group GROUP
//	record                         shifts leave a record; without it, none
//	left ENV=WEIGHT... to ENV=WEIGHT... [KEY=VALUE]...   a record on every route: shift, switch, owner=dead|alive|unknown, phase, reached, goal, reason, on=ROUTE, expires
//	remembered ENV=WEIGHT... to ENV=WEIGHT... [KEY=VALUE]...   the same, but only the memory has it
//	at TIME request VERB [KEY=VALUE]...   somebody asks: gate, at=PERCENT, shift (default s1), reason
//	at TIME left ... | unrecord ID the same while it runs; somebody removes the records of a route
//	sync TIME                      the router's writes are in sync that long after the last one
//	sync denied                    access to whether they are is denied
//	fresh                          the router knows which reads are not older than its last write; none is
//	polls                          the routes are read while the shift waits
//	shows                          what reads the record shows the routes, too
//	no_attach                      the router checks groups that no route has, and attaches none at weight 0
//	previous ENV VERSION, within_window, rejected ENV VERSION, retry, credentials TIME, stop failure|interrupt
//	rollback_timeout TIME, on_source_unhealthy warn, detach_idle
type story struct {
	routes  []storyRoute
	envs    []shift.Environment
	groups  map[string]map[string]string // by environment and entry point, where set
	health  rollout.HealthSettings
	request shift.Request
	stable  shift.Weights
	sticky  *time.Duration
	gates   []*storyGate
	targets []change
	faults  []routertest.Fault
	changes []change

	credentialsLast time.Duration // 0: forever
	interruptAt     time.Duration // 0: never
	rollbackTimeout time.Duration // 0: the default

	stopOnFailure, stopOnInterrupt bool
	warnOnSourceUnhealthy          bool
	noAttach                       bool
	syncDenied                     bool          // nobody may ask whether writes reached every server
	syncHangs                      time.Duration // from how long after a write on such a question gets no answer; 0: never
	fresh, polls, shows            bool
	syncAfter                      time.Duration // how long a write takes to reach every server; 0: the router does not say

	record     bool
	later      bool     // the record is removed after the state is saved, which is not part of a story
	left       []change // records at the start
	remembered *traffic.Left
}

type storyRoute struct {
	id      string
	entry   string
	state   traffic.State
	planned *traffic.State // nil: state
	joins   bool           // the plan had no state of it
}

// change is a change from outside the run.
type change struct {
	at      time.Duration
	group   string // gets targets
	targets []traffic.Target
	route   string // gets state
	state   traffic.State
	remove  string // the id of a route that is deleted
	gone    string // the id of a group that is deleted

	record   *traffic.Record  // put on route
	request  *traffic.Request // made on every route
	unrecord string           // the id of a route whose records are removed
}

// storyGate is a gate with scripted responses.
type storyGate struct {
	rollout.NamedGate
	responses []timedResponse
	preflight string        // its response to Preflight; empty: the gate has no Preflight
	takes     time.Duration // how much longer than others a call takes
}

type timedResponse struct {
	from     time.Duration // below 0: for one call
	response string        // a rollout.Status, hang, panic, slow, final, standing or busy/TIME
}

// parse parses a script. It panics if the script is invalid.
func parse(script string) *story {
	s := &story{groups: map[string]map[string]string{}, health: rollout.HealthSettings{CapacityPercent: 50, MinHealthyPercent: 100, MinHealthyTargets: 1,
		SteadyFor: 15 * time.Second, BreachFor: 30 * time.Second, Timeout: 10 * time.Minute}}
	s.request.Strategy.Settle = time.Minute
	for line := range strings.Lines(script) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			s.parseLine(fields[0], fields[1:])
		}
	}
	return s
}

func (s *story) parseLine(keyword string, args []string) {
	strategy := &s.request.Strategy
	switch keyword {
	case "env":
		s.envs = append(s.envs, parseEnvironment(args))
	case "route":
		entry, _, _ := strings.Cut(args[0], "/")
		s.routes = append(s.routes, storyRoute{id: args[0], entry: entry, state: parseState(entry, args[1:])})
	case "targets":
		s.targets = append(s.targets, s.parseTargets(args)...)
	case "groups":
		s.groups[args[0]] = map[string]string{}
		for entry, group := range pairs(args[1:]) {
			s.groups[args[0]][entry] = group
		}
	case "stable":
		s.stable = parseWeights(args)
	case "planned":
		s.setPlanned(args)
	case "desired":
		s.request.Desired = parseWeights(args)
	case "steps":
		strategy.Steps = parseSteps(args)
	case "bake":
		strategy.Bake = duration(args[0])
	case "baseline":
		strategy.Baseline = parseSteps([]string{args[0] + "/0s"})[0].At
	case "settle":
		strategy.Settle = duration(args[0])
	case "health":
		s.parseHealth(args)
	case "gate":
		s.gates = append(s.gates, parseGate(args))
	case "returns":
		s.gateNamed(args[0]).responses = parseResponses(args[1:])
	case "fault":
		s.faults = append(s.faults, parseFault(args))
	case "at":
		s.addChange(duration(args[0]), args[1], args[2:])
	default:
		s.parseOption(keyword, args)
	}
}

func (s *story) parseOption(keyword string, args []string) {
	switch keyword {
	case "no_attach":
		s.noAttach = true
	case "polls":
		s.polls = true
	case "shows":
		s.shows = true
	case "fresh":
		s.fresh = true
	case "sync":
		if s.syncDenied = args[0] == "denied"; s.syncDenied {
			args[0] = "1s"
		}
		s.syncAfter = duration(args[0])
		if len(args) > 1 {
			s.syncHangs = duration(args[1])
		}
	case "record":
		s.record, s.later = true, len(args) > 0
	case "left":
		s.left = append(s.left, s.parseLeft(args)...)
	case "remembered":
		s.remembered = merged(s.parseLeft(args))
	case "sticky":
		s.sticky = new(duration(args[0]))
	case "previous":
		s.request.Previous = &shift.Identity{Environment: args[0], Version: args[1]}
	case "within_window":
		s.request.WithinRollbackWindow = true
	case "rejected":
		s.request.Rejected = &shift.Rejection{Identity: shift.Identity{Environment: args[0], Version: args[1]}, Reason: "gate errors failed"}
	case "retry":
		s.request.Retry = true
	case "rollback_timeout":
		s.rollbackTimeout = duration(args[0])
	case "on_source_unhealthy":
		s.warnOnSourceUnhealthy = args[0] == "warn"
	case "detach_idle":
		s.request.Strategy.DetachIdle = true
	case "credentials":
		s.credentialsLast = duration(args[0])
	case "stop":
		s.stopOnFailure = s.stopOnFailure || args[0] == "failure"
		s.stopOnInterrupt = s.stopOnInterrupt || args[0] == "interrupt"
	default:
		panic("unknown keyword " + keyword)
	}
}

func (s *story) addChange(at time.Duration, keyword string, args []string) {
	switch keyword {
	case "interrupt":
		s.interruptAt = at
	case "targets":
		for _, c := range s.parseTargets(args) {
			c.at = at
			s.changes = append(s.changes, c)
		}
	case "change":
		entry, _, _ := strings.Cut(args[0], "/")
		s.changes = append(s.changes, change{at: at, route: args[0], state: parseState(entry, args[1:])})
	case "remove":
		s.changes = append(s.changes, change{at: at, remove: args[0]})
	case "remove_group":
		s.changes = append(s.changes, change{at: at, gone: args[0]})
	case "left":
		for _, c := range s.parseLeft(args) {
			c.at = at
			s.changes = append(s.changes, c)
		}
	case "request":
		fields := pairs(args[1:])
		r := traffic.Request{Verb: traffic.Verb(args[0]), Shift: cmp.Or(fields["shift"], "s1"), Gate: fields["gate"], By: "ann", Reason: fields["reason"], Nonce: fmt.Sprint("n", len(s.changes))}
		if at := fields["at"]; at != "" {
			r.At = parseSteps([]string{at + "/0s"})[0].At
		}
		s.changes = append(s.changes, change{at: at, request: &r})
	case "unrecord":
		s.changes = append(s.changes, change{at: at, unrecord: args[0]})
	default:
		panic("unknown change " + keyword)
	}
}

func (s *story) setPlanned(args []string) {
	for i := range s.routes {
		r := &s.routes[i]
		switch {
		case r.id != args[0]:
		case args[1] == "none":
			r.joins = true
		default:
			r.planned = new(parseState(r.entry, args[1:]))
		}
	}
}

// parseTargets parses "blue 2" or "web-blue 1 healthy 1 unhealthy". An environment stands
// for its groups behind all entry points so far.
func (s *story) parseTargets(args []string) []change {
	var targets []traffic.Target
	for i := 1; i < len(args); i += 2 {
		state := traffic.Healthy
		if i+1 < len(args) {
			state = traffic.TargetState(args[i+1])
		}
		function := state == "function"
		if function {
			state = traffic.Healthy
		}
		for _, t := range routertest.Targets(number(args[i]), state) {
			t.Function = function
			t.ID = fmt.Sprintf("10.0.%d.%d:80", i/2, len(targets)+1)
			targets = append(targets, t)
		}
	}
	if strings.Contains(args[0], "-") {
		return []change{{group: args[0], targets: targets}}
	}
	var all []change
	for _, entry := range s.entries() {
		all = append(all, change{group: entry + "-" + args[0], targets: targets})
	}
	return all
}

// parseLeft parses the record of a shift, which all routes or one of them have.
func (s *story) parseLeft(args []string) []change {
	r := traffic.Record{Shift: "s0", Switch: "this", Routes: len(s.routes), Owner: traffic.Owner{User: "dead"}, Phase: traffic.PhaseOpen,
		Renewal: 1, Goal: "goal", Expires: time.Date(2000, 1, 1, 0, 3, 0, 0, time.UTC)}
	on, weights := "", [2]map[string]int{{}, {}}
	side := 0
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "to":
			side = 1
		case "shift":
			r.Shift = value
		case "switch":
			r.Switch = value
		case "owner":
			r.Owner.User = value
		case "phase":
			r.Phase = traffic.Phase(value)
		case "renewal":
			r.Renewal = number(value)
		case "reached":
			r.Reached = shift.Share(10 * number(value))
		case "goal":
			r.Goal = value
		case "reason":
			r.Reason = value
		case "expires":
			r.Expires = r.Expires.Add(duration(value))
		case "on":
			on = value
		default:
			weights[side][key] = number(value)
		}
	}
	var all []change
	for _, route := range s.routes {
		if on != "" && on != route.id {
			continue
		}
		one := r
		for side, keyed := range []*map[string]shift.Share{&one.From, &one.To} {
			state := traffic.State{Weights: map[string]int{}}
			for name, n := range weights[side] {
				state.Weights[route.entry+"-"+name] = n
			}
			*keyed = traffic.KeyedShares(state)
		}
		all = append(all, change{route: route.id, record: &one})
	}
	return all
}

// merged returns the records of changes as one shift.
func merged(all []change) *traffic.Left {
	records := map[string][]traffic.Record{}
	for _, c := range all {
		records[c.route] = append(records[c.route], *c.record)
	}
	return &traffic.MergeRecords(records)[0]
}

func (s *story) entries() []string {
	var entries []string
	seen := map[string]bool{}
	for _, r := range s.routes {
		if !seen[r.entry] {
			seen[r.entry] = true
			entries = append(entries, r.entry)
		}
	}
	return entries
}

func (s *story) gateNamed(name string) *storyGate {
	for _, g := range s.gates {
		if g.Name == name {
			return g
		}
	}
	panic("unknown gate " + name)
}

func (s *story) parseHealth(args []string) {
	for key, value := range pairs(args) {
		switch key {
		case "timeout":
			s.health.Timeout = duration(value)
		case "steady":
			s.health.SteadyFor = duration(value)
		case "breach":
			s.health.BreachFor = duration(value)
		case "capacity":
			s.health.CapacityPercent = float64(number(value))
		case "min_percent":
			s.health.MinHealthyPercent = float64(number(value))
		case "min_targets":
			s.health.MinHealthyTargets = number(value)
		default:
			panic("unknown health setting " + key)
		}
	}
}

func parseEnvironment(args []string) shift.Environment {
	e := shift.Environment{Name: args[0]}
	for _, arg := range args[1:] {
		switch arg {
		case "removed":
			e.Removed = true
		case "changed":
			e.VersionChanged = true
		default:
			e.Version = arg
		}
	}
	return e
}

func parseState(entry string, args []string) traffic.State {
	switch args[0] {
	case "fixed":
		return traffic.State{Response: "fixed response 503", FixedError: true}
	case "redirect":
		return traffic.State{Response: "redirect 301"}
	}
	s := traffic.State{Weights: map[string]int{}}
	for name, value := range pairs(args) {
		switch name {
		case "sticky":
			s.Stickiness = duration(value)
		case "cached":
			s.Cached = duration(value)
		default:
			s.Weights[entry+"-"+name] = number(value)
		}
	}
	return s
}

func parseWeights(args []string) shift.Weights {
	percent := map[string]float64{}
	for name, value := range pairs(args) {
		n, err := strconv.ParseFloat(value, 64)
		if value == "" {
			n, err = 100, nil
		}
		if err != nil {
			panic(err)
		}
		percent[name] = n
	}
	w, err := shift.FromPercent(percent)
	if err != nil {
		panic(err)
	}
	return w
}

func parseSteps(args []string) []shift.Step {
	var steps []shift.Step
	for _, arg := range args {
		parts := strings.Split(arg, "/")
		percent, err := strconv.ParseFloat(parts[0], 64)
		if err != nil {
			panic(err)
		}
		at, err := shift.ShareOf(percent)
		if err != nil {
			panic(err)
		}
		steps = append(steps, shift.Step{At: at, Hold: duration(parts[1])})
	}
	return steps
}

func parseGate(args []string) *storyGate {
	g := &storyGate{responses: []timedResponse{{-1, "pass"}}}
	g.GateSettings = shift.GateSettings{Name: args[0], When: shift.When(args[1]), Interval: 10 * time.Second, Timeout: 10 * time.Second,
		InconclusiveTimeout: 10 * time.Minute, ErrorLimit: 4}
	g.OnInconclusive = rollout.Fail
	for key, value := range pairs(args[2:]) {
		switch key {
		case "interval":
			g.Interval = duration(value)
		case "timeout":
			g.Timeout = duration(value)
		case "delay":
			g.InitialDelay = duration(value)
		case "inconclusive":
			g.InconclusiveTimeout = duration(value)
		case "failures":
			g.FailureLimit = number(value)
		case "errors":
			g.ErrorLimit = number(value)
		case "on_inconclusive":
			g.OnInconclusive = map[string]rollout.Status{"pass": rollout.Pass, "fail": rollout.Fail, "stop": rollout.Inconclusive}[value]
		case "at":
			for _, percent := range strings.Split(value, "+") {
				g.AtSteps = append(g.AtSteps, shift.Share(10*number(percent)))
			}
		case "once":
			g.PassLasts = true
		case "approval":
			g.PassLasts, g.TakesApproval = true, true
		case "takes":
			g.takes = duration(value)
		case "dry":
			g.DryRun = true
		case "preflight":
			g.preflight = value
		default:
			panic("unknown gate setting " + key)
		}
	}
	return g
}

func parseResponses(args []string) []timedResponse {
	var responses []timedResponse
	for _, arg := range args {
		response, from, timed := strings.Cut(arg, "@")
		r := timedResponse{from: -1, response: response}
		if timed {
			r.from = duration(from)
		}
		responses = append(responses, r)
	}
	return responses
}

func parseFault(args []string) routertest.Fault {
	f := routertest.Fault{Kind: routertest.Kind(strings.ReplaceAll(args[0], "-", " ")), Op: routertest.Op(args[1])}
	if !slices.Contains([]routertest.Kind{routertest.Throttled, routertest.Refused, routertest.Lost, routertest.AnswerLost, routertest.Blocked,
		routertest.Late, routertest.Slow, routertest.Stale}, f.Kind) {
		panic("unknown fault " + args[0])
	}
	for key, value := range pairs(args[2:]) {
		switch key {
		case "route":
			f.Route = value
		case "by":
			f.By = routertest.Client(value)
		case "skip":
			f.Skip = number(value)
		case "times":
			if f.Times = routertest.Always; value != "always" {
				f.Times = number(value)
			}
		case "until":
			f.Times, f.Until = routertest.Always, duration(value)
		case "for":
			f.For = duration(value)
		case "err":
			f.Err = map[string]error{"": nil, "denied": traffic.ErrDenied, "expired": traffic.ErrExpired, "incomplete": traffic.ErrIncomplete,
				"reset": errors.New("connection reset by peer"), "empty": errors.New("the answer is empty")}[value]
		default:
			panic("unknown fault setting " + key)
		}
	}
	return f
}

// pairs splits KEY=VALUE. A key alone has an empty value.
func pairs(args []string) map[string]string {
	all := map[string]string{}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		all[key] = value
	}
	return all
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}
