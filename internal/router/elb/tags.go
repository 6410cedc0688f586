package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

var _ traffic.Recorder = (*Recorder)(nil)

// Recorder is traffic.Recorder with tags of listeners and rules.
type Recorder struct{ router *Router }

// NewRecorder returns a Recorder with the clients of a Router.
func NewRecorder(router *Router) *Recorder { return &Recorder{router} }

// Records implements traffic.Recorder with one DescribeTags per twenty routes of a region.
// A route that does not exist has no records.
func (r *Recorder) Records(ctx context.Context, routes []string) (map[string][]traffic.Record, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	found, errs := r.recordsEach(ctx, routes)
	for _, route := range routes {
		if err := errs[route]; err != nil && !isNotFound(err) {
			return nil, err
		}
	}
	maps.DeleteFunc(found, func(_ string, records []traffic.Record) bool { return len(records) == 0 })
	return found, nil
}

// recordsEach is Records with a result or an error for each route.
func (r *Recorder) recordsEach(ctx context.Context, routes []string) (map[string][]traffic.Record, map[string]error) {
	found, errs := map[string][]traffic.Record{}, map[string]error{}
	var mu sync.Mutex
	inBatches(routes, func(region string, some []string) {
		records, failed := r.recordsBatch(ctx, region, some)
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(found, records)
		maps.Copy(errs, failed)
	})
	return found, errs
}

// recordsBatch reads the records of up to twenty routes.
func (r *Recorder) recordsBatch(ctx context.Context, region string, routes []string) (map[string][]traffic.Record, map[string]error) {
	tags, errs := r.tagsBatch(ctx, region, routes)
	found := map[string][]traffic.Record{}
	for route, of := range tags {
		found[route] = decodeRecords(of)
	}
	return found, errs
}

// tagsBatch reads the tags of up to twenty routes. The API does not say which of them are missing.
func (r *Recorder) tagsBatch(ctx context.Context, region string, routes []string) (map[string]map[string]string, map[string]error) {
	found, errs := map[string]map[string]string{}, map[string]error{}
	out, err := awscall.RetryIncomplete(ctx, func() (*elbv2.DescribeTagsOutput, error) {
		out, err := r.router.client(region).DescribeTags(ctx, &elbv2.DescribeTagsInput{ResourceArns: routes})
		if err == nil && len(out.TagDescriptions) < len(routes) {
			err = traffic.ErrIncomplete
		}
		return out, err
	})
	if err = callError(describeTags, soleARN(routes), err); err != nil && isNotFound(err) && len(routes) > 1 {
		for _, route := range routes {
			tags, failed := r.tagsBatch(ctx, region, []string{route})
			maps.Copy(found, tags)
			maps.Copy(errs, failed)
		}
		return found, errs
	}
	if err == nil {
		for _, d := range out.TagDescriptions {
			tags := map[string]string{}
			for _, t := range d.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			found[aws.ToString(d.ResourceArn)] = tags
		}
	}
	for _, route := range routes {
		switch {
		case err != nil:
			errs[route] = err
		case found[route] == nil:
			errs[route] = incomplete(describeTags, route)
		}
	}
	return found, errs
}

// Beside returns every listener and rule of the load balancers of routes, also the routes themselves:
// those that may have a record of the same shift. Default rules are part of their listeners. It takes
// one call per load balancer and one per listener.
func (r *Recorder) Beside(ctx context.Context, routes []string) ([]string, error) {
	ctx, cancel := awscall.LimitRead(ctx)
	defer cancel()
	balancers, err := balancersOf(routes)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, balancer := range balancers {
		found, err := r.router.trafficRoutes(ctx, balancer)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			all = append(all, o.arn)
		}
	}
	return all, nil
}

// Put implements traffic.Recorder with one AddTags per route: the API accepts only one
// resource in a call.
func (r *Recorder) Put(ctx context.Context, routes []string, record traffic.Record, whole bool) error {
	var tags []types.Tag
	encoded := encodeRecord(record, whole)
	for _, suffix := range slices.Sorted(maps.Keys(encoded)) {
		tags = append(tags, types.Tag{Key: new(recordPrefix + record.Shift + suffix), Value: new(encoded[suffix])})
	}
	return tagEach(routes, func(region, route string) error {
		_, err := r.router.client(region).AddTags(ctx, &elbv2.AddTagsInput{ResourceArns: []string{route}, Tags: tags})
		err = callError(addTags, route, err)
		if call, ok := errors.AsType[*CallError](err); ok && call.Refused() {
			return fmt.Errorf("%w: %w", traffic.ErrRefusedRecord, err)
		}
		return err
	})
}

// Remove implements traffic.Recorder with one RemoveTags per route.
func (r *Recorder) Remove(ctx context.Context, routes []string, id string) error {
	var keys []string
	for _, suffix := range recordSuffixes() {
		keys = append(keys, recordPrefix+id+suffix)
	}
	keys = append(keys, requestKeys(traffic.Verbs())...)
	return tagEach(routes, func(region, route string) error {
		_, err := r.router.client(region).RemoveTags(ctx, &elbv2.RemoveTagsInput{ResourceArns: []string{route}, TagKeys: keys})
		return callError(removeTags, route, err)
	})
}

// tagEach makes one call per route. A route that does not exist has no tags, which is no
// error. Ids that are no ARNs of routes are left out.
func tagEach(routes []string, call func(region, route string) error) error {
	var mu sync.Mutex
	var errs []error
	var work []func()
	for _, route := range routes {
		a, err := ParseRoute(route)
		if err != nil {
			continue
		}
		work = append(work, func() {
			err := call(a.Region, route)
			mu.Lock()
			defer mu.Unlock()
			if !isNotFound(err) {
				errs = append(errs, err)
			}
		})
	}
	awscall.Concurrently(maxConcurrent, work)
	return errors.Join(errs...)
}

// inBatches runs do for up to twenty routes of a region at a time. Ids that are no ARNs of
// routes are left out: they have no tags.
func inBatches(routes []string, do func(region string, some []string)) {
	regions := map[string][]string{}
	for _, route := range routes {
		if a, err := ParseRoute(route); err == nil && !slices.Contains(regions[a.Region], route) {
			regions[a.Region] = append(regions[a.Region], route)
		}
	}
	var work []func()
	for region, all := range regions {
		for some := range slices.Chunk(all, batchSize) {
			work = append(work, func() { do(region, some) })
		}
	}
	awscall.Concurrently(maxConcurrent, work)
}
