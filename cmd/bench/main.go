// Command bench measures the figures that the project promises and prints them as a
// table. With -write it writes the table into the benchmarks guide. It requires
// terraform or tofu on PATH. All measurements run on this machine, so compare times
// only within one run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
)

// row is a line of the table.
type row struct {
	what, goal, measured string
	missed               bool
}

// bench is the common configuration of the measurements.
type bench struct {
	root, dir string
	only      string // name of the only measurement to make; empty: all
	runs      int
	rate      int

	switches    string // numbers of switches of scale
	perBalancer int    // switches of a load balancer of scale
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == rehearsal.AppCommand {
		exit(rehearsal.AppMain(os.Args[2:]))
		return
	}
	b := bench{}
	flag.IntVar(&b.runs, "runs", 10, "number of shifts by Terraform")
	flag.IntVar(&b.rate, "rate", 600, "requests per second during the shifts")
	flag.StringVar(&b.switches, "switches", "", "numbers of switches of the measurement scale, separated by commas, such as 1,10,100; empty: it is not made")
	flag.IntVar(&b.perBalancer, "per-balancer", 20, "switches on the rules of one load balancer in the measurement scale, 1 to 100")
	write := flag.Bool("write", false, "write the table into templates/guides/benchmarks.md")
	rates := flag.Int("rates", 0, "only measure how often target_metrics is wrong, in this many simulated runs each, and write the tables into templates/guides/benchmarks.md")
	seed := flag.Uint64("seed", 0, "number of the traffic of -rates: another one shows that the figures are not those of one sample")
	flag.StringVar(&b.only, "only", "", "make only this measurement: choice, steps, rollback, intervals, record, detection, judgment, traffic, provider, shifts, releases, network, dns, functions, cancel or scale")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *rates > 0 {
		exit(b.writeRates(ctx, *rates, *seed))
		return
	}
	exit(b.run(ctx, *write))
}

var errGoalMissed = errors.New("a goal was missed")

func (b bench) run(ctx context.Context, write bool) (err error) {
	if b.root, err = rehearsal.ModuleRoot(ctx); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "bluegreen-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	var rows []row
	for _, m := range b.measures() {
		if b.only != "" && m.name != b.only {
			continue
		}
		more, err := m.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rows = append(rows, more...)
	}
	table := format(rows)
	fmt.Print(table)
	if write && b.only == "" {
		where := fmt.Sprintf("Measured with %d cores, %s/%s, %s.\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
		if err := b.writeTable("benchmarks.md", "bench", where+table); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if r.missed {
			return fmt.Errorf("%w: %s", errGoalMissed, r.what)
		}
	}
	return nil
}

type measure struct {
	name string
	run  func(context.Context) ([]row, error)
}

func (b bench) measures() []measure {
	return []measure{
		{"choice", b.choice}, {"steps", b.steps}, {"rollback", b.rollbackTimes}, {"intervals", b.intervals}, {"record", b.records}, {"detection", b.detection},
		{"judgment", b.judgment}, {"traffic", b.traffic}, {"provider", b.provider}, {"shifts", b.shifts}, {"releases", b.releases}, {"network", network}, {"dns", b.dns}, {"functions", functions}, {"cancel", b.cancel}, {"scale", scaling{b}.scale},
	}
}

func format(rows []row) string {
	var text strings.Builder
	text.WriteString("| Figure | Goal | Measured |\n|---|---|---|\n")
	for _, r := range rows {
		measured := r.measured
		if r.missed {
			measured = "**missed:** " + measured
		}
		fmt.Fprintf(&text, "| %s | %s | %s |\n", r.what, r.goal, measured)
	}
	return text.String()
}

var errNoMarks = errors.New("the guide has no markers for the table")

// writeTable puts a table into a guide, between two marks.
func (b bench) writeTable(guide, mark, table string) error {
	path := filepath.Join(b.root, "templates", "guides", guide)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+mark+": begin -->\n", "<!-- "+mark+": end -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return errNoMarks
	}
	return os.WriteFile(path, []byte(before+begin+table+end+after), 0o600)
}

func exit(err error) {
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}
