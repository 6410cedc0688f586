package lambda

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws/dataplane"
)

// latest is the qualifier of the version that can still be changed.
const latest = "$LATEST"

// state is everything that the service stores. A state that was read never changes: a write works on a clone.
type state struct {
	functions map[functionKey]*function
}

// functionKey identifies a function.
type functionKey struct{ region, name string }

// function is a function with everything that belongs to it.
type function struct {
	arn         string
	latest      *version
	versions    []*version // in the order of their numbers
	last        int        // number of the last published version, which is never used again
	aliases     map[string]*alias
	provisioned map[string]*provisioned // by qualifier
	tags        map[string]string
}

// version is a version of a function. Only its status changes once it is published.
type version struct {
	number      string // latest, or digits
	settings    settings
	description string
	digest      string // of the code
	size        int
	revision    string
	modified    time.Time
	activeAt    time.Time
	failure     failure
}

// failure is why a version cannot run.
type failure struct{ code, reason string }

// settings are the settings of a version that the API only stores, except for the environment.
type settings struct {
	Runtime      string       `json:"Runtime,omitempty"`
	Role         string       `json:"Role"`
	Handler      string       `json:"Handler,omitempty"`
	Timeout      int          `json:"Timeout"`
	MemorySize   int          `json:"MemorySize"`
	PackageType  string       `json:"PackageType"`
	Environment  *environment `json:"Environment,omitempty"`
	Architecture []string     `json:"Architectures"`
}

type environment struct {
	Variables map[string]string `json:"Variables"`
}

// alias is an alias. An update replaces it.
type alias struct {
	name, description, revision string
	routing                     routing
	served                      served
}

// routing is where an alias sends invocations.
type routing struct {
	version string
	weights map[string]float64 // of the additional version; nil or one
}

// served is what the data plane does: the previous routing until since.
type served struct {
	before, now *distribution
	since       time.Time
}

// distribution divides invocations between versions.
type distribution struct {
	versions []string
	chooser  *dataplane.Chooser
}

// provisioned is the provisioned concurrency of a version or an alias.
type provisioned struct {
	requested int
	modified  time.Time
	readyAt   time.Time
	failure   string // why it failed; empty: it did not
	// previous is the version that an alias sends invocations to until it is ready; empty: none.
	previous string
}

func newState() *state { return &state{functions: map[functionKey]*function{}} }

// clone returns a copy in which functions can be added and removed.
func (s *state) clone() *state { return &state{functions: maps.Clone(s.functions)} }

// change replaces a function by a copy that can be changed, and returns the copy.
func (s *state) change(key functionKey) *function {
	f := *s.functions[key]
	f.versions = slices.Clone(f.versions)
	f.aliases, f.provisioned, f.tags = maps.Clone(f.aliases), maps.Clone(f.provisioned), maps.Clone(f.tags)
	s.functions[key] = &f
	return &f
}

// version returns a version by its number; nil: there is none.
func (f *function) version(number string) *version {
	if number == latest {
		return f.latest
	}
	i := slices.IndexFunc(f.versions, func(v *version) bool { return v.number == number })
	if i < 0 {
		return nil
	}
	return f.versions[i]
}

// isNumber reports whether a qualifier is the number of a version. The name of an alias has another character.
func isNumber(qualifier string) bool {
	_, err := strconv.ParseUint(qualifier, 10, 64)
	return err == nil
}

// parts is a routing in millionths of the invocations: a weight has no more digits than that here.
const parts = 1_000_000

func (r routing) distribution() *distribution {
	d := &distribution{versions: []string{r.version}}
	additional := 0
	for number, weight := range r.weights {
		additional = int(weight*parts + 0.5)
		d.versions = append(d.versions, number)
	}
	d.chooser = dataplane.NewChooser([]int{parts - additional, additional}[:len(d.versions)])
	return d
}

func (d *distribution) next() string { return d.versions[d.chooser.Next()] }

// at returns what an alias does at a time.
func (s served) at(now time.Time) *distribution {
	if s.before != nil && now.Before(s.since) {
		return s.before
	}
	return s.now
}
