package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/operate/routers"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

// Clients is how an Operator calls AWS.
type Clients struct {
	routers.Clients
	// Caller returns the ARN of the user that the credentials belong to; empty: not known.
	Caller func(context.Context) string
	// Account returns the account of the credentials; empty: not known.
	Account func(context.Context) string
	// Assumed is the region that is called because nothing says which partition of AWS the credentials belong to;
	// empty: that is known.
	Assumed string
}

// Operator runs the verbs. Its methods are not safe for concurrent use.
type Operator struct {
	Clients
	Target Target
	Owner  traffic.Owner // of what this process does
	// Abandoned and Guarded report what is known of the owner of a shift, see package owner.
	Abandoned func(traffic.Owner) (abandoned, known bool)
	Guarded   func(traffic.Owner) bool
	// Progress receives lines while a verb runs. Nil: nobody reads them.
	Progress func(line string)
}

// readTimeout limits what is read before a decision.
const readTimeout = 30 * time.Second

// seen is what was read of the routes of the target.
type seen struct {
	states []traffic.State // in the order of Target.Routes
	shifts []traffic.Left  // whose records the routes have
	unread error           // why the records could not be read
}

// read reads the routes and their records.
func (o *Operator) read(ctx context.Context, summary string) (seen, *Problem) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var s seen
	var err error
	var records map[string][]traffic.Record
	var reads sync.WaitGroup
	ids := o.Target.ids()
	reads.Go(func() { s.states, err = o.Router.Read(ctx, ids) })
	if o.Recorder != nil {
		reads.Go(func() { records, s.unread = o.Recorder.Records(ctx, ids) })
	}
	reads.Wait()
	if err != nil {
		return seen{}, o.callProblem(ctx, summary, err)
	}
	s.shifts = traffic.MergeRecords(records)
	return s, nil
}

// progress prints a line.
func (o *Operator) progress(format string, args ...any) {
	if o.Progress != nil {
		o.Progress(fmt.Sprintf(format, args...))
	}
}

// unrecorded says that the routes have no place for the record of a shift; empty: they have.
func (o *Operator) unrecorded() string {
	if o.Recorder != nil {
		return ""
	}
	return o.Target.router().Unrecorded
}

// ErrNoRecord reports routes that have no place for the record of a shift, for a verb that needs it.
var ErrNoRecord = errors.New("the routes have no place for the record of a shift")

// needsRecord refuses a verb that needs records where the routes have no place for them; nil: they have.
func (o *Operator) needsRecord(summary, consequence, action string) *Problem {
	text := o.unrecorded()
	if text == "" {
		return nil
	}
	p := refuse(summary, text+", "+consequence+".", action)
	p.Err = ErrNoRecord
	return p
}

// open returns the shifts that did not end.
func (s seen) open() []traffic.Left {
	return slices.DeleteFunc(slices.Clone(s.shifts), func(x traffic.Left) bool { return !x.IsOpen() })
}

// isAbandoned reports whether the owner of a shift has ended, as far as that is known at once.
func (o *Operator) isAbandoned(x traffic.Left) bool {
	abandoned, known := o.Abandoned(x.Owner)
	return known && abandoned || !known && time.Since(x.Expires) > rollout.AbandonedAfter
}

// describe names a shift and its owner for people.
func describe(x traffic.Left) string { return rollout.Describe(x) }

// complete adds the routes of a shift that the target does not name: all routes of a switch move
// together.
func (o *Operator) complete(ctx context.Context, s seen, x traffic.Left, summary string) (seen, traffic.Left, *Problem) {
	if len(x.To) >= x.Routes {
		return s, x, nil
	}
	limited, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	beside, err := o.Beside(limited, o.Target.ids())
	var records map[string][]traffic.Record
	if err == nil {
		records, err = o.Recorder.Records(limited, beside)
	}
	if err != nil {
		return s, x, o.callProblem(ctx, summary, err)
	}
	for _, id := range beside {
		if slices.ContainsFunc(records[id], func(r traffic.Record) bool { return r.Shift == x.Shift }) && !slices.Contains(o.Target.ids(), id) {
			o.Target.Routes = append(o.Target.Routes, traffic.Route{ID: id})
		}
	}
	again, p := o.read(ctx, summary)
	if p != nil {
		return s, x, p
	}
	i := slices.IndexFunc(again.shifts, func(y traffic.Left) bool { return y.Shift == x.Shift })
	if i < 0 {
		return s, x, ended(summary, x)
	}
	if x = again.shifts[i]; len(x.To) != x.Routes {
		return s, x, refuse(summary, fmt.Sprintf("The shift has %d routes, which move together. Only %d of them were found beside the named routes.", x.Routes, len(x.To)),
			"Name all of them with --route, or use -f with the state of the switch.")
	}
	return again, x, nil
}

// ended is about a shift that ended while the command ran.
func ended(summary string, x traffic.Left) *Problem {
	return refuse(summary, fmt.Sprintf("The shift %s ended meanwhile.", x.Shift), "Run bluegreen status to see where the traffic is.")
}
