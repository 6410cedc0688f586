// Package localalb is a stand-in for Elastic Load Balancing v2 with a data plane that is real. It serves the
// ELBv2 Query API on loopback, so that the AWS SDKs, the AWS command line and Terraform use it as they use
// AWS, and it really listens, matches rules, chooses target groups by weight, proxies, checks health, sticks,
// drains and counts. On the same endpoint it serves the CloudWatch calls that judge a release. It is for tests
// and for rehearsing a release. It is not for production, says so on its log when it starts, and keeps nothing
// after exit.
//
//	srv, err := localalb.Start(localalb.WithEphemeralPorts(), localalb.WithFastHealth(50*time.Millisecond))
//	...
//	defer srv.Close()
//	client := elasticloadbalancingv2.NewFromConfig(cfg, func(o *elasticloadbalancingv2.Options) {
//		o.BaseEndpoint = aws.String(srv.URL())
//	})
//
// # Control plane
//
// Load balancers, target groups, listeners and rules can be created, described, modified and deleted, with
// their attributes and tags; targets can be registered, deregistered and asked for their health; rule
// priorities can be set. Limits, error codes and quirks are those of AWS: 20 ARNs in a Describe call, five
// groups in an action, lists that are replaced as a whole and other fields that stay when they are left out,
// ResourceInUse for a group that any action names, secrets that are never shown, groups in an order that is
// not the one sent. Any credentials are taken; a request without a signature is refused. As with AWS an
// endpoint serves the region that the signature names, and regions do not see each other.
//
// Where it differs from AWS: loopback addresses may be targets; certificates and subnets need not exist, and
// subnets get the zones a to f in the order in which they are first heard of; DNS names end in
// elb.localhost; load balancers are active at once. What is not simulated is refused with an error that says
// so: gateway balancers, gRPC, mutual TLS, rule transforms, application-cookie stickiness. Slow start and
// the other balancing algorithms are accepted as settings, and targets get their turns in a circle all the
// same. Network load balancers have ARNs, health checks and everything else but a data plane: their
// listeners do not listen.
//
// # Data plane
//
// Every listener of an application load balancer listens on 127.0.0.1, on the port asked for or on a free one
// (WithEphemeralPorts). HTTPS listeners show a certificate that is made at start (Server.CertificatePEM). A
// request meets one consistent set of rules; a change never cuts a request in flight. A forward action deals
// its requests out with a Chooser: exact by weight whatever the health of targets, anew from the start of
// the cycle when the action changes. There is no failover from one group to another. Within a group healthy
// targets take turns; when none is healthy, all of them do.
//
// A 503 answers for a group without targets and for an action without weights, a 502 for a target that
// refuses, resets or breaks the protocol, a 504 for one that stays silent for longer than the idle timeout.
// A request that may have reached a target is not sent to it again, unless its method allows it and the
// connection turned out to be an old one that the target had closed.
//
// Login actions ask no identity provider: a request with the session cookie, or for JWT with any bearer
// token, passes; others are treated as the action says.
//
// # Health
//
// Only targets of groups that some action names are checked, at weight 0 too; the others are unused. A new
// target is healthy with its first pass. The real shortest interval is 5 s: WithFastHealth makes tests fast.
//
// # CloudWatch
//
// PutMetricAlarm, PutCompositeAlarm, PutLogAlarm, DeleteAlarms, SetAlarmState, DescribeAlarms, GetMetricData and
// PutMetricData are served as the SDKs of today send them (Smithy RPC v2 CBOR), as the command line does (JSON)
// and as both did some years ago (Query). Regions do not see each other here either.
//
// The balancer's own figures are in the namespace AWS/ApplicationELB. With the dimensions LoadBalancer and
// TargetGroup: RequestCount, HTTPCode_Target_2XX_Count to 5XX, TargetResponseTime, TargetConnectionErrorCount,
// HealthyHostCount and UnHealthyHostCount; with LoadBalancer alone the sums of those but the last two, and
// HTTPCode_ELB_4XX_Count, 5XX, 502, 503 and 504. As with AWS a request is in RequestCount once a target is chosen
// for it; a counter that is zero has no point; a group without targets has no host counts; there is a point a
// minute, and it can be seen a minute after its minute is over. WithMetricsClock makes a faster clock, which AWS
// does not have: figures got with it must be labelled so. The response time is from the request's last byte, or
// where it has no body from its start with the connection if one must be made, to the head of the answer; its
// percentiles are off by less than 1 %. The figures outlive what they are about and are kept for 10,800 periods.
//
// Metrics that are put are seen at once, points of high resolution for three hours and others for fifteen days.
// Their percentiles are exact up to 4096 different values in a point. Metric maths knows + - * / ^, comparisons,
// AND, OR, [arrays], and SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL, IF and METRICS(); all else is refused by name.
//
// Metric alarms, also those on metric maths, begin in INSUFFICIENT_DATA and are evaluated once in their period
// after that, or at the pace of a faster clock, with missing data treated as CloudWatch's guide says. What
// SetAlarmState sets holds until then; with TreatMissingData ignore and no data it holds for good. A composite
// alarm follows its children at once. A log alarm is kept, and changes by SetAlarmState alone. Alarm actions are
// kept and never taken. Anomaly detection, PromQL, Metrics Insights, wall clock windows, warm-up of metric alarms
// and the children and parents of DescribeAlarms are refused; EvaluateLowSampleCountPercentile is kept and not obeyed.
//
// # Misbehaviour
//
// A Fault makes calls fail as AWS and the network do, from the start (WithFault), later (Server.Inject) or by
// the management port. Server.Hook lets a test act in the middle of a call. Server.Calls is the journal of
// calls, Server.Counts and Server.ListenerCounts what the data plane saw; none of them is ever reset.
//
// # Management port
//
// WithManagement serves JSON on a loopback address:
//
//	GET    /healthz      {"status": "ok"}
//	GET    /listeners    by ARN: the address, the rules with their weights, what was counted
//	GET    /counts       by target group ARN: what was counted, also by target
//	GET    /faults       the faults in force, with how many calls each has met
//	POST   /faults       {"kind": "Throttle", "action": "ModifyListener", "arn": "...", "skip": 0, "times": 3, "delay": "200ms"}
//	DELETE /faults/{id}  one of them
//	DELETE /faults       all of them
package localalb
