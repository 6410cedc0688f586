package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// errNotHome says that a way back was tried for as long as there was time.
var errNotHome = errors.New("not seen back within " + homeLimit.String())

// homeward is a way back under way; every map is by the number of the route.
type homeward struct {
	run  *run
	left map[int]Setting // not seen home yet
	tell map[int]Setting // to be written now
	lost map[int]error   // given up, since no retry can help
	last map[int]error   // why the others are not home

	looked bool
}

// goHome writes all routes at once, each whether or not another fails, and
// reads them back; what does not show is read once more and then told again,
// until homeLimit or until no retry can help.
func (r *run) goHome(ctx context.Context, want map[int]Setting) error {
	limited, cancel := context.WithTimeout(ctx, homeLimit)
	defer cancel()
	h := &homeward{run: r, left: maps.Clone(want), tell: maps.Clone(want), lost: map[int]error{}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		if h.try(limited); len(h.left) == 0 {
			break
		}
		if sleep(limited, pause) != nil {
			break
		}
	}
	r.lookAgain(ctx)
	return h.why()
}

// try writes what is to be told and looks once. What was told and does not
// show is looked at once more before it is told again.
func (h *homeward) try(ctx context.Context) {
	told, errs := h.tell, h.write(ctx)
	h.tell = map[int]Setting{}
	h.look(ctx)
	for i, setting := range h.left {
		if errs[i] != nil && !final(h.last[i]) {
			h.last[i] = errs[i]
		}
		if final(h.last[i]) {
			h.lost[i] = h.last[i]
			delete(h.left, i)
			continue
		}
		if _, waits := told[i]; !waits || errs[i] != nil {
			h.tell[i] = setting
		}
	}
}

func (h *homeward) write(ctx context.Context) []error {
	if len(h.tell) == 0 {
		return make([]error, len(h.run.spec.Routes))
	}
	limited, cancel := context.WithTimeout(ctx, homeCallLimit)
	defer cancel()
	return h.run.write(limited, h.run.spec.Home, h.tell)
}

// look reads back and strikes off what is home. The first look is at all
// routes, which may have been moved by others; then what is home is not looked
// at again, since a later answer may be an older one.
func (h *homeward) look(ctx context.Context) {
	routes := h.run.numbers()
	if h.looked {
		routes = slices.Sorted(maps.Keys(h.left))
	}
	h.last = h.run.readHome(ctx, routes)
	h.looked = h.looked || len(h.last) == 0
	for i, setting := range h.left {
		if !h.run.dirty[i] && h.run.now[i].Same(setting) {
			delete(h.left, i)
		}
	}
}

// why is what keeps routes from being home, nil where all are.
func (h *homeward) why() error {
	var errs []error
	for i := range h.run.spec.Routes {
		if _, open := h.left[i]; open {
			errs = append(errs, h.last[i], errNotHome)
		}
		errs = append(errs, h.lost[i])
	}
	return errors.Join(errs...)
}

// readHome takes over what these routes do, as far as they can be read, and
// returns the errors of the others alone. Where one cannot be read at all, the
// others are read without it.
func (r *run) readHome(ctx context.Context, all []int) map[int]error {
	errs := map[int]error{}
	err := r.readSome(ctx, all)
	if err == nil {
		return errs
	}
	for _, i := range all {
		one := err
		if final(err) && len(all) > 1 {
			one = r.readSome(ctx, []int{i})
		}
		if one != nil {
			errs[i] = one
		}
	}
	return errs
}

// readSome takes over what these routes do.
func (r *run) readSome(ctx context.Context, numbers []int) error {
	limited, cancel := context.WithTimeout(ctx, homeCallLimit)
	defer cancel()
	var ids []string
	for _, i := range numbers {
		ids = append(ids, r.spec.Routes[i].ID)
	}
	now, err := r.spec.Home.Read(limited, ids)
	if err != nil {
		return err
	}
	r.now = slices.Clone(r.now)
	for n, i := range numbers {
		told := r.dirty[i]
		r.now[i], r.dirty[i] = now[n], false
		if told {
			r.tell(Event{Kind: Saw, Route: r.spec.Routes[i].ID, Weights: r.weights(i)})
		}
	}
	return nil
}

// lookOnce makes the result true where nothing more is written, or says of
// which routes it does not know.
func (r *run) lookOnce(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	for i := range r.readHome(limited, r.numbers()) {
		r.dirty[i] = true
	}
}

// lookAgain does so where nobody knows what some route does.
func (r *run) lookAgain(ctx context.Context) {
	if slices.Contains(r.dirty, true) {
		r.lookOnce(ctx)
	}
}

// final: no retry can help.
func final(err error) bool {
	return errors.Is(err, ErrDenied) || errors.Is(err, ErrExpired) || errors.Is(err, ErrNotFound)
}
