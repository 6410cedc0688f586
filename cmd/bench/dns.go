package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	route53api "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/localaws"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rehearsal"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/route53"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/traffic"
)

const (
	dnsTTL         = 5 * time.Second
	dnsPropagation = time.Second
	dnsName        = "app.example.com"
	dnsRate        = 200
)

// site is a local hosted zone with an A and an AAAA record of one name, in front of two stacks with a load balancer each.
type site struct {
	server   *localaws.Server
	stacks   map[string]*rehearsal.Stack
	zone     string
	resolver *rehearsal.CachingResolver
	spec     rollout.Spec
}

// dns measures a release and a rollback of weighted records, as clients behind a caching resolver see them.
func (b bench) dns(ctx context.Context) ([]row, error) {
	where := fmt.Sprintf("TTL %s, propagation %s, a caching resolver, %d new connections/s", dnsTTL, dnsPropagation, dnsRate)
	rows, err := trial{
		release: "Route 53 calls of a release of an A and an AAAA record (5 %, 50 %, 100 %, holds of 5 s), with those for health", write: "ChangeResourceRecordSets", perStep: "1 batch per step", writes: 3,
		lost: "requests lost in that release: " + where, last: "from a failed gate at 50 % to the last user of the bad version: " + where,
		within: dnsTTL + dnsPropagation + time.Second, goal: "TTL + propagation, and 1 s of a cache that counts whole seconds",
		hold: dnsTTL, linger: 2 * dnsTTL,
		stage: func(green rehearsal.AppTerms) (*stage, error) {
			s, err := newSite(ctx, b.dir, green)
			if err != nil {
				return nil, err
			}
			return &stage{server: s.server, spec: s.spec, load: s.load, close: s.close}, nil
		},
	}.rows(ctx)
	if errors.Is(err, rehearsal.ErrNoResolver) {
		return []row{{what: "weighted records of Route 53 through a caching resolver", goal: "measured", measured: "not measured: " + err.Error()}}, nil
	}
	return rows, err
}

// newSite has version 1 in blue, which is live, and another one in green.
func newSite(ctx context.Context, dir string, green rehearsal.AppTerms) (s *site, err error) {
	s = &site{stacks: map[string]*rehearsal.Stack{}}
	s.server, err = localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(20*time.Millisecond), localaws.WithLogger(quiet()),
		localaws.WithDNS("127.0.0.1:0"), localaws.WithBalancerAddresses(), localaws.WithRecordPropagation(dnsPropagation))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for name, terms := range map[string]rehearsal.AppTerms{"blue": {Version: "1"}, "green": green} {
		if s.stacks[name], err = rehearsal.NewStackOf(ctx, rehearsal.StackTerms{Endpoint: s.server.URL(), Name: name, Port: 80}, name); err != nil {
			return nil, err
		}
		if err = s.stacks[name].Deploy(ctx, name, terms); err != nil {
			return nil, err
		}
	}
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
	if err = s.createRecords(ctx, cfg); err != nil {
		return nil, err
	}
	if err = s.published(ctx); err != nil {
		return nil, err
	}
	if s.resolver, err = rehearsal.StartCachingResolver(ctx, dir, s.server.DNSAddr(), "example.com"); err != nil {
		return nil, err
	}
	return s, s.newSpec(cfg)
}

func (s *site) createRecords(ctx context.Context, cfg aws.Config) error {
	client := route53api.NewFromConfig(cfg, func(o *route53api.Options) { o.BaseEndpoint = aws.String(s.server.URL()) })
	zone, err := client.CreateHostedZone(ctx, &route53api.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("bench")})
	if err != nil {
		return err
	}
	s.zone = (*zone.HostedZone.Id)[len("/hostedzone/"):]
	batch := &types.ChangeBatch{}
	for name, weight := range map[string]int64{"blue": 100, "green": 0} {
		address, _, err := net.SplitHostPort(s.server.ListenerAddr(s.stacks[name].Listener))
		if err != nil {
			return err
		}
		for kind, value := range map[types.RRType]string{types.RRTypeA: address, types.RRTypeAaaa: "::ffff:" + address} {
			batch.Changes = append(batch.Changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &types.ResourceRecordSet{
				Name: aws.String(dnsName), Type: kind, SetIdentifier: aws.String(name), Weight: aws.Int64(weight),
				TTL: aws.Int64(int64(dnsTTL / time.Second)), ResourceRecords: []types.ResourceRecord{{Value: aws.String(value)}}}})
		}
	}
	_, err = client.ChangeResourceRecordSets(ctx, &route53api.ChangeResourceRecordSetsInput{HostedZoneId: &s.zone, ChangeBatch: batch})
	return err
}

// published waits until the name server has the records. The resolver is not asked: it would cache that there are none.
func (s *site) published(ctx context.Context) error {
	tick := time.NewTicker(dnsPropagation / 10)
	defer tick.Stop()
	for {
		if _, err := rehearsal.ResolverAt(s.server.DNSAddr()).LookupHost(ctx, dnsName); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *site) newSpec(cfg aws.Config) error {
	forward, rollback := route53.NewRouters(cfg, route53.Options{Endpoint: s.server.URL()})
	routes := []string{s.zone + "/" + dnsName + "/A", s.zone + "/" + dnsName + "/AAAA"}
	owned := map[string]map[string]string{}
	for name := range s.stacks {
		group, err := route53.Group(routes, name)
		if err != nil {
			return err
		}
		owned[name] = map[string]string{"web": group}
	}
	s.spec = specOf(forward, rollback, route53.Limits(), owned)
	s.spec.Request.Strategy.Settle = dnsTTL
	for _, route := range slices.Sorted(slices.Values(routes)) {
		s.spec.Routes = append(s.spec.Routes, rollout.Route{Route: traffic.Route{ID: route, Entry: "web"}})
	}
	return nil
}

// load resolves the name for every request.
func (s *site) load() *rehearsal.Load {
	_, port, _ := net.SplitHostPort(s.server.ListenerAddr(s.stacks["blue"].Listener))
	return rehearsal.StartLoad(rehearsal.LoadTerms{URL: "http://" + net.JoinHostPort(dnsName, port), Rate: dnsRate, Clients: 32, NewConnections: true,
		Resolver: rehearsal.ResolverAt(s.resolver.Address)})
}

func (s *site) close() {
	if s.resolver != nil {
		s.resolver.Close()
	}
	for _, stack := range s.stacks {
		if stack != nil {
			stack.Close()
		}
	}
	_ = s.server.Close()
}
