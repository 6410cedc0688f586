package rollout_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/routertest"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/shift"
)

// story is a shift and everything that happens while it runs. It is written as
// a script (testdata/*.txt, one line a thing) or drawn at random. Groups are
// named after their entry point and their environment: web-blue.
//
//	env NAME [VERSION] [leaving]
//	route ID ENV=WEIGHT... [sticky=TIME] | route ID fixed|redirect   web/2 is of entry point web
//	targets ENV|GROUP N [STATE] [N STATE]...
//	stable ENV=PERCENT...        none: a Create
//	saw ID like route | none     by default what the route does
//	goal ENV[=PERCENT]...        none: leave the traffic as it is
//	steps PERCENT/HOLD[/GATE]... bake TIME, settle TIME, sticky TIME
//	health KEY=VALUE...          timeout, steady, breach, capacity, percent, least
//	gate NAME WHEN [KEY=VALUE]...  interval, timeout, delay, failures, errors, undecided, then, dry, ahead=ANSWER
//	says NAME ANSWER...          one a call, the last again and again; ANSWER@TIME: from then on
//	fault KIND OP [KEY=VALUE]... route, by, skip, times, for, err
//	at TIME interrupt | targets ... | change ID ... | remove ID
//	previous ENV VERSION, recent, rejected ENV VERSION, retry, lasts TIME, stop failure|interrupt
type story struct {
	routes  []storyRoute
	envs    []shift.Environment
	health  rollout.HealthSettings
	request shift.Request
	stable  shift.Weights
	sticky  *time.Duration
	gates   []*storyGate
	targets []happening
	faults  []routertest.Fault
	happens []happening
	lasts   time.Duration // until when the credentials do; 0: for ever
	cancel  time.Duration // when it is interrupted; 0: never

	stopOnFailure, stopOnInterrupt bool
}

type storyRoute struct {
	id    string
	entry string
	does  rollout.RouteState
	saw   *rollout.RouteState // nil: what it does
	joins bool                // the plan could not know it
}

// happening is a change from outside.
type happening struct {
	at      time.Duration
	group   string // whose targets become these
	targets []rollout.Target
	route   string // what it is changed to by another hand
	does    rollout.RouteState
	remove  string // the route that is deleted
}

// storyGate is a gate that answers by script.
type storyGate struct {
	rollout.NamedGate
	answers []timedAnswer
	ahead   string // what it says before anything is written; empty: it is not asked then
}

type timedAnswer struct {
	from   time.Duration // less than 0: one a call
	answer string        // of rollout, or hang, panic
}

// parse reads a script. It panics on what it does not know, since a script is
// part of the test.
func parse(script string) *story {
	s := &story{health: rollout.HealthSettings{CapacityPercent: 50, MinHealthyPercent: 100, MinHealthyTargets: 1,
		SteadyFor: 15 * time.Second, BreachFor: 30 * time.Second, Timeout: 10 * time.Minute}}
	s.request.Strategy.Settle = time.Minute
	for line := range strings.Lines(script) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			s.line(words[0], words[1:])
		}
	}
	return s
}

func (s *story) line(verb string, args []string) {
	terms := &s.request.Strategy
	switch verb {
	case "env":
		s.envs = append(s.envs, environmentOf(args))
	case "route":
		entry, _, _ := strings.Cut(args[0], "/")
		s.routes = append(s.routes, storyRoute{id: args[0], entry: entry, does: settingOf(entry, args[1:])})
	case "targets":
		s.targets = append(s.targets, s.targetsOf(args)...)
	case "stable":
		s.stable = sharesOf(args)
	case "saw":
		s.saw(args)
	case "goal":
		s.request.Desired = sharesOf(args)
	case "steps":
		terms.Steps = stepsOf(args)
	case "bake":
		terms.Bake = duration(args[0])
	case "settle":
		terms.Settle = duration(args[0])
	case "health":
		s.readHealth(args)
	case "gate":
		s.gates = append(s.gates, gateOf(args))
	case "says":
		s.gateNamed(args[0]).answers = answersOf(args[1:])
	case "fault":
		s.faults = append(s.faults, faultOf(args))
	case "at":
		s.happen(duration(args[0]), args[1], args[2:])
	default:
		s.flag(verb, args)
	}
}

func (s *story) flag(verb string, args []string) {
	switch verb {
	case "sticky":
		s.sticky = new(duration(args[0]))
	case "previous":
		s.request.Previous = &shift.Identity{Environment: args[0], Version: args[1]}
	case "recent":
		s.request.WithinRollbackWindow = true
	case "rejected":
		s.request.Rejected = &shift.Rejection{Identity: shift.Identity{Environment: args[0], Version: args[1]}, Reason: "it was bad"}
	case "retry":
		s.request.Retry = true
	case "lasts":
		s.lasts = duration(args[0])
	case "stop":
		s.stopOnFailure = s.stopOnFailure || args[0] == "failure"
		s.stopOnInterrupt = s.stopOnInterrupt || args[0] == "interrupt"
	default:
		panic("a story does not know " + verb)
	}
}

func (s *story) happen(at time.Duration, verb string, args []string) {
	switch verb {
	case "interrupt":
		s.cancel = at
	case "targets":
		for _, h := range s.targetsOf(args) {
			h.at = at
			s.happens = append(s.happens, h)
		}
	case "change":
		entry, _, _ := strings.Cut(args[0], "/")
		s.happens = append(s.happens, happening{at: at, route: args[0], does: settingOf(entry, args[1:])})
	case "remove":
		s.happens = append(s.happens, happening{at: at, remove: args[0]})
	default:
		panic("nothing like this happens: " + verb)
	}
}

func (s *story) saw(args []string) {
	for i := range s.routes {
		r := &s.routes[i]
		switch {
		case r.id != args[0]:
		case args[1] == "none":
			r.joins = true
		default:
			r.saw = new(settingOf(r.entry, args[1:]))
		}
	}
}

// targetsOf reads "blue 2" or "web-blue 1 healthy 1 unhealthy"; an environment
// stands for its groups behind every entry point so far.
func (s *story) targetsOf(args []string) []happening {
	var targets []rollout.Target
	for i := 1; i < len(args); i += 2 {
		state := rollout.Healthy
		if i+1 < len(args) {
			state = rollout.TargetState(args[i+1])
		}
		for _, t := range routertest.Targets(number(args[i]), state) {
			t.ID = fmt.Sprintf("10.0.%d.%d:80", i/2, len(targets)+1)
			targets = append(targets, t)
		}
	}
	if strings.Contains(args[0], "-") {
		return []happening{{group: args[0], targets: targets}}
	}
	var all []happening
	for _, entry := range s.entries() {
		all = append(all, happening{group: entry + "-" + args[0], targets: targets})
	}
	return all
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
	panic("there is no gate " + name)
}

func (s *story) readHealth(args []string) {
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
		case "percent":
			s.health.MinHealthyPercent = float64(number(value))
		case "least":
			s.health.MinHealthyTargets = number(value)
		default:
			panic("health has no " + key)
		}
	}
}

func environmentOf(args []string) shift.Environment {
	e := shift.Environment{Name: args[0]}
	for _, word := range args[1:] {
		if word == "leaving" {
			e.Removed = true
		} else {
			e.Version = word
		}
	}
	return e
}

func settingOf(entry string, args []string) rollout.RouteState {
	switch args[0] {
	case "fixed":
		return rollout.RouteState{Response: "fixed response 503", FixedError: true}
	case "redirect":
		return rollout.RouteState{Response: "redirect 301"}
	}
	s := rollout.RouteState{Weights: map[string]int{}}
	for name, value := range pairs(args) {
		if name == "sticky" {
			s.Stickiness = duration(value)
		} else {
			s.Weights[entry+"-"+name] = number(value)
		}
	}
	return s
}

func sharesOf(args []string) shift.Weights {
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

func stepsOf(args []string) []shift.Step {
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
		steps = append(steps, shift.Step{At: at, Hold: duration(parts[1]), Gates: parts[2:]})
	}
	return steps
}

func gateOf(args []string) *storyGate {
	g := &storyGate{answers: []timedAnswer{{-1, "pass"}}}
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
		case "undecided":
			g.InconclusiveTimeout = duration(value)
		case "failures":
			g.FailureLimit = number(value)
		case "errors":
			g.ErrorLimit = number(value)
		case "then":
			g.OnInconclusive = map[string]rollout.Status{"pass": rollout.Pass, "fail": rollout.Fail, "stop": rollout.Inconclusive}[value]
		case "dry":
			g.DryRun = true
		case "ahead":
			g.ahead = value
		default:
			panic("a gate has no " + key)
		}
	}
	return g
}

func answersOf(args []string) []timedAnswer {
	var answers []timedAnswer
	for _, arg := range args {
		answer, from, timed := strings.Cut(arg, "@")
		a := timedAnswer{from: -1, answer: answer}
		if timed {
			a.from = duration(from)
		}
		answers = append(answers, a)
	}
	return answers
}

func faultOf(args []string) routertest.Fault {
	f := routertest.Fault{Kind: routertest.Kind(strings.ReplaceAll(args[0], "-", " ")), Op: routertest.Op(args[1])}
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
		case "for":
			f.For = duration(value)
		case "err":
			f.Err = map[string]error{"denied": rollout.ErrDenied, "expired": rollout.ErrExpired}[value]
		default:
			panic("a fault has no " + key)
		}
	}
	return f
}

// pairs splits KEY=VALUE; a word alone has no value.
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
