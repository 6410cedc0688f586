// Package localaws is a local stand-in for Elastic Load Balancing v2 with a working data plane. It serves the
// ELBv2 Query API on loopback for the AWS SDKs, the AWS CLI and Terraform. Its listeners accept connections,
// evaluate rules, choose target groups by weight, proxy requests and connections, check health, apply stickiness, drain and count.
// The same endpoint serves the CloudWatch calls that evaluate a release, the calls to Route 53 that shift traffic by
// weighted records, with a DNS server that answers from them, and Lambda with aliases that divide invocations between two
// running versions. It is for tests and for rehearsing a
// release. It is not for production, logs a warning about that at start, and keeps no data after exit.
//
//	srv, err := localaws.Start(localaws.WithEphemeralPorts(), localaws.WithFastHealth(50*time.Millisecond))
//	...
//	defer srv.Close()
//	client := elasticloadbalancingv2.NewFromConfig(cfg, func(o *elasticloadbalancingv2.Options) {
//		o.BaseEndpoint = aws.String(srv.URL())
//	})
//
// Any credentials are accepted; a request without a signature is rejected. As with AWS, the endpoint serves the region
// in the signature.
//
// # Packages
//
//	localaws ──┬──► elbv2 ────────┬──────────────────► dataplane
//	           ├──► cloudwatch ───┤                        ▲
//	           ├──► lambda ───────┤                        │
//	           └──► route53 ──────┼──► nameserver ─────────┘ (its Chooser)
//	                              └──► faults ──► wire
//
// Imports point to the right. elbv2 configures the data plane, route53 publishes zones to the name server. The data plane reports to the Metrics
// interface that it defines, which cloudwatch implements. This package connects them, and adds the endpoint, the
// journal of calls and the management port. The package docs of elbv2, lambda, dataplane, cloudwatch,
// route53 and nameserver say what each simulates, and how it differs from AWS. Most users need this package and faults.
//
// # Faults
//
// A faults.Fault makes calls fail as AWS and the network do, from the start (WithFault), later (Server.Inject) or
// through the management port. Server.Hook lets a test act in the middle of a call. Server.Calls is the journal of
// calls, and Server.AwaitCall waits for one; Server.Tags shows tags as they are; Server.Counts and Server.ListenerCounts are the counters of the data plane,
// Server.DNSAnswers those of the DNS server, and Counts of Server.Lambda those of invocations. None of them is ever reset.
//
// # Management port
//
// WithManagement serves JSON, and invocations, on a loopback address:
//
//	GET    /healthz      {"status": "ok"}
//	GET    /listeners    by ARN: the address, the rules with their weights, the counters
//	GET    /counts       by target group ARN: the counters, also by target
//	GET    /tags         by ARN: the tags
//	GET    /records      by ID of a hosted zone: its record sets, and the number of changes that are PENDING
//	GET    /aliases      by ARN of a Lambda alias: the shares of invocations by version, and the invocations that ran
//	       /invoke/{arn} invokes a Lambda function, version or alias, and responds as a function URL does
//	GET    /answers/{name}/{type}  how often the DNS server answered with each record set, by set identifier
//	POST   /health-checks/{id}     {"healthy": false}: what the checkers find from now on
//	GET    /calls        the calls; ?action=AddTags&arn=TEXT selects some, &after=ID later ones, &wait=10s waits for the first
//	GET    /faults       the active faults, each with the number of calls it has affected
//	POST   /faults       {"kind": "Throttle", "action": "ModifyListener", "arn": "...", "skip": 0, "times": 3, "delay": "200ms"}
//	DELETE /faults/{id}  one of them
//	DELETE /faults       all of them
package localaws
