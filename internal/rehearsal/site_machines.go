package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// Fleet is the desired set of machines of one name: a number of processes of a version, registered in a target group.
type Fleet struct {
	Name, Group string
	Count       int
	Boot        time.Duration // time until a machine listens
	Terms       AppTerms
}

// fleetRecord is a running fleet.
type fleetRecord struct {
	Version  string    `json:"version"`
	Group    string    `json:"group"`
	Machines []machine `json:"machines"`
}

// The kinds of fleets, as in records and the event log.
const (
	kindMachines = "machines"
	kindService  = "service"
)

// StartMachines makes the fleet as desired, like an Auto Scaling group with an instance refresh: new machines are started
// and registered before the old ones end.
func (s *Site) StartMachines(ctx context.Context, f Fleet) error {
	return s.start(ctx, kindMachines, f)
}

// ErrNoBalancer is the error of ECS for a target group that is in no listener or rule, when a service is created.
var ErrNoBalancer = errors.New("InvalidParameterException: the target group does not have an associated load balancer")

// PutService is StartMachines for a stand-in of an ECS service: it is refused while its group is in no listener or rule,
// and returns when the service is stable.
func (s *Site) PutService(ctx context.Context, f Fleet) error {
	var r fleetRecord
	found, err := s.load(kindService, f.Name, &r)
	if err != nil {
		return err
	}
	used, err := s.inUse(ctx, f.Group)
	if err != nil {
		return err
	}
	if !found && !used {
		return fmt.Errorf("cannot create service %s: %w: %s", f.Name, ErrNoBalancer, f.Group)
	}
	return s.start(ctx, kindService, f)
}

func (s *Site) inUse(ctx context.Context, group string) (bool, error) {
	found, err := s.client.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{TargetGroupArns: []string{group}})
	if err != nil {
		return false, fmt.Errorf("cannot read target group %s: %w", group, err)
	}
	return len(found.TargetGroups[0].LoadBalancerArns) > 0, nil
}

func (s *Site) start(ctx context.Context, kind string, f Fleet) error {
	var old fleetRecord
	found, err := s.load(kind, f.Name, &old)
	if err != nil {
		return err
	}
	next := fleetRecord{Version: f.Terms.Version, Group: f.Group}
	if next.Machines, err = s.boot(f); err != nil {
		return err
	}
	if err := s.register(ctx, next); err != nil {
		return errors.Join(err, endAll(ctx, next.Machines))
	}
	if found || kind == kindService {
		if err := s.untilHealthy(ctx, next); err != nil {
			return errors.Join(err, s.end(ctx, next))
		}
	}
	if err := s.save(kind, f.Name, next); err != nil {
		return err
	}
	if err := s.note("%s %s started, version %s", kind, f.Name, next.Version); err != nil || !found {
		return err
	}
	if err := s.retire(ctx, old); err != nil {
		return err
	}
	return s.note("%s %s stopped, version %s", kind, f.Name, old.Version)
}

// boot starts the machines concurrently.
func (s *Site) boot(f Fleet) ([]machine, error) {
	machines, failures := make([]machine, f.Count), make([]error, f.Count)
	ended := make(chan struct{})
	for i := range f.Count {
		go func() {
			machines[i], failures[i] = s.startMachine(f)
			ended <- struct{}{}
		}()
	}
	for range f.Count {
		<-ended
	}
	if err := errors.Join(failures...); err != nil {
		started := slices.DeleteFunc(machines, func(m machine) bool { return m.PID == 0 })
		return nil, errors.Join(err, endAll(context.Background(), started))
	}
	return machines, nil
}

func (r fleetRecord) targets() []types.TargetDescription {
	var targets []types.TargetDescription
	for _, m := range r.Machines {
		targets = append(targets, types.TargetDescription{Id: aws.String("127.0.0.1"), Port: aws.Int32(m.Port)})
	}
	return targets
}

func (s *Site) register(ctx context.Context, r fleetRecord) error {
	_, err := s.client.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: aws.String(r.Group), Targets: r.targets()})
	if err != nil {
		return fmt.Errorf("cannot register machines in target group %s: %w", r.Group, err)
	}
	return nil
}

// healthyLimit bounds the wait for the health of new machines.
const healthyLimit = time.Minute

// untilHealthy waits for health where it is checked; a group that is in no listener or rule has none.
func (s *Site) untilHealthy(ctx context.Context, r fleetRecord) error {
	if used, err := s.inUse(ctx, r.Group); err != nil || !used {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthyLimit)
	defer cancel()
	err := poll(ctx, func() (bool, error) {
		seen, err := s.client.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{
			TargetGroupArn: aws.String(r.Group), Targets: r.targets()})
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(seen.TargetHealthDescriptions, func(d types.TargetHealthDescription) bool {
			return d.TargetHealth.State != types.TargetHealthStateEnumHealthy
		}), nil
	})
	if err != nil {
		return fmt.Errorf("version %s is not healthy: %w", r.Version, err)
	}
	return nil
}

// retire deregisters replaced machines and lets them finish requests in flight, like an Auto Scaling group: they may have
// had users a short time ago, before a rollback.
func (s *Site) retire(ctx context.Context, r fleetRecord) error {
	if err := s.deregister(ctx, r); err != nil {
		return err
	}
	failures := make([]error, len(r.Machines))
	var all sync.WaitGroup
	for i, m := range r.Machines {
		all.Go(func() { failures[i] = m.retire(ctx) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// end deregisters machines and kills them: requests in flight are lost, the hardest way in which an old version can end.
func (s *Site) end(ctx context.Context, r fleetRecord) error {
	if err := s.deregister(ctx, r); err != nil {
		return err
	}
	return endAll(ctx, r.Machines)
}

func (s *Site) deregister(ctx context.Context, r fleetRecord) error {
	_, err := s.client.DeregisterTargets(ctx, &elb.DeregisterTargetsInput{TargetGroupArn: aws.String(r.Group), Targets: r.targets()})
	var gone *types.TargetGroupNotFoundException
	if err != nil && !errors.As(err, &gone) {
		return fmt.Errorf("cannot deregister machines from target group %s: %w", r.Group, err)
	}
	return nil
}

func endAll(ctx context.Context, machines []machine) error {
	var all []error
	for _, m := range machines {
		all = append(all, m.end(ctx))
	}
	return errors.Join(all...)
}

// StopMachines ends the machines of a name. Where a version is given and another one runs, they have been replaced, and
// nothing is done.
func (s *Site) StopMachines(ctx context.Context, name, version string) error {
	return s.stop(ctx, kindMachines, name, version)
}

// DeleteService is StopMachines for a service.
func (s *Site) DeleteService(ctx context.Context, name, version string) error {
	return s.stop(ctx, kindService, name, version)
}

func (s *Site) stop(ctx context.Context, kind, name, version string) error {
	var r fleetRecord
	found, err := s.load(kind, name, &r)
	if err != nil || !found || (version != "" && version != r.Version) {
		return err
	}
	if err := s.end(ctx, r); err != nil {
		return err
	}
	if err := s.note("%s %s stopped, version %s", kind, name, r.Version); err != nil {
		return err
	}
	return os.Remove(s.record(kind, name))
}

// PIDs returns the processes of every running fleet of a site, by name.
func PIDs(dir string) (map[string][]int, error) {
	s, pids := &Site{records: records{dir}}, map[string][]int{}
	for _, kind := range []string{kindMachines, kindService, kindVersion} {
		names, err := s.names(kind)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			var r fleetRecord
			if _, err := s.load(kind, name, &r); err != nil {
				return nil, err
			}
			for _, m := range r.Machines {
				pids[name] = append(pids[name], m.PID)
			}
		}
	}
	return pids, nil
}

// names are those of the records of a kind.
func (s *records) names(kind string) ([]string, error) {
	files, err := filepath.Glob(s.record(kind, "*"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		base := filepath.Base(file)
		names = append(names, base[len(kind)+1:len(base)-len(".json")])
	}
	return names, nil
}

// Evacuate kills the machines of every site below a directory, even if the load balancer is gone.
func Evacuate(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() != SiteDir {
			return err
		}
		s := &Site{records: records{path}}
		for _, kind := range []string{kindMachines, kindService} {
			if err := s.killAll(kind); err != nil {
				return err
			}
		}
		return fs.SkipDir
	})
}

func (s *Site) killAll(kind string) error {
	names, err := s.names(kind)
	for _, name := range names {
		var r fleetRecord
		_, loadErr := s.load(kind, name, &r)
		err = errors.Join(err, loadErr, endAll(context.Background(), r.Machines))
	}
	return err
}
