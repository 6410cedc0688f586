// Package localalb is a local stand-in for Elastic Load Balancing v2 with a working data plane. It serves the
// ELBv2 Query API on loopback for the AWS SDKs, the AWS CLI and Terraform. Its listeners accept connections,
// evaluate rules, choose target groups by weight, proxy requests, check health, apply stickiness, drain and count.
// The same endpoint serves the CloudWatch calls that evaluate a release. It is for tests and for rehearsing a
// release. It is not for production, logs a warning about that at start, and keeps no data after exit.
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
// their attributes and tags. Targets can be registered, deregistered and described with their health, and rule
// priorities can be set. Quotas, error codes and quirks are those of AWS: 20 ARNs in a Describe call, five
// groups in an action, lists that are replaced as a whole while other omitted fields keep their values,
// ResourceInUse for a group that is in an action, secrets that are never returned, groups in an order that
// differs from the one sent. Any credentials are accepted; a request without a signature is rejected. As with
// AWS, an endpoint serves the region in the signature, and regions are isolated from each other.
//
// Differences from AWS: loopback addresses are valid targets. Certificates and subnets need not exist; subnets
// are assigned the zones a to f in the order of their first use. DNS names end in elb.localhost. Load balancers
// are active immediately. Gateway load balancers, gRPC, mutual TLS, rule transforms and application-cookie
// stickiness are not simulated and are rejected with an error that says so. Slow start and the other load
// balancing algorithms are accepted as settings, but targets are always chosen round robin. Network load
// balancers have everything except a data plane: their listeners do not accept connections.
//
// # Data plane
//
// Every listener of an application load balancer listens on 127.0.0.1, on its port or on a free one
// (WithEphemeralPorts). HTTPS listeners use a certificate that is generated at start (Server.CertificatePEM). A
// request is evaluated against one consistent set of rules; a change never interrupts an in-flight request. A
// forward action distributes its requests with a Chooser: exactly by weight, whatever the health of targets, and
// from the start of the cycle when the action changes. There is no failover from one group to another. Within a
// group, healthy targets take turns; if none is healthy, all of them do.
//
// The response is 503 for a group without targets and for an action without positive weights, 502 for a target
// that refuses or resets the connection or violates the protocol, and 504 for a target that exceeds the idle
// timeout. A request that may have reached a target is not sent again, unless its method allows it and the
// reused connection turned out to be closed by the target.
//
// Authentication actions use no identity provider: a request with the session cookie, or for JWT with any bearer
// token, passes; others are handled as the action specifies.
//
// # Health
//
// Only targets of groups that are in an action are checked, at weight 0 too; the others are unused. A new
// target becomes healthy with its first pass. The shortest interval of AWS is 5 s; WithFastHealth allows less.
//
// # CloudWatch
//
// PutMetricAlarm, PutCompositeAlarm, PutLogAlarm, DeleteAlarms, SetAlarmState, DescribeAlarms, GetMetricData and
// PutMetricData are served in the protocol of current SDKs (Smithy RPC v2 CBOR), of the current AWS CLI (JSON)
// and of older versions of both (Query). Regions are isolated here too.
//
// The load balancer's own metrics are in the namespace AWS/ApplicationELB. With the dimensions LoadBalancer and
// TargetGroup: RequestCount, HTTPCode_Target_2XX_Count to 5XX, TargetResponseTime, TargetConnectionErrorCount,
// HealthyHostCount and UnHealthyHostCount; with LoadBalancer alone the sums of those but the last two, and
// HTTPCode_ELB_4XX_Count, 5XX, 502, 503 and 504. As with AWS, RequestCount includes a request once a target is
// chosen for it, a counter of zero has no point, a group without targets has no host counts, and there is a point
// per minute, which becomes visible a minute after the end of its period. WithMetricsClock sets a faster clock,
// which AWS does not have: results that depend on it must say so. The response time is measured from the last byte
// of the request (without a body from its start, including the connection setup) to the headers of the response;
// percentiles are off by less than 1 %. The metrics outlive their resources and are retained for 10,800 periods.
//
// Custom metrics are visible immediately. High-resolution points are retained for three hours, others for 15 days.
// Their percentiles are exact up to 4096 distinct values per point. Metric math supports + - * / ^, comparisons,
// AND, OR, [arrays], and SUM, AVG, MIN, MAX, ABS, CEIL, FLOOR, FILL, IF and METRICS(); errors name anything else.
//
// Metric alarms, including those on metric math, start in INSUFFICIENT_DATA and are evaluated once per period, or at
// the pace of a faster clock, with missing data treated as in the CloudWatch guide. A state set by SetAlarmState
// lasts until then; with TreatMissingData ignore and no data it lasts indefinitely. A composite alarm follows its
// children immediately. A log alarm is stored, and only SetAlarmState changes its state. Alarm actions are stored
// but never executed. Anomaly detection, PromQL, Metrics Insights, wall clock windows, warm-up of metric alarms and
// the children and parents of DescribeAlarms are rejected; EvaluateLowSampleCountPercentile is stored but ignored.
//
// # Faults
//
// A Fault makes calls fail as AWS and the network do, from the start (WithFault), later (Server.Inject) or through
// the management port. Server.Hook lets a test act in the middle of a call. Server.Calls is the journal of
// calls; Server.Counts and Server.ListenerCounts are the counters of the data plane. None of them is ever reset.
//
// # Management port
//
// WithManagement serves JSON on a loopback address:
//
//	GET    /healthz      {"status": "ok"}
//	GET    /listeners    by ARN: the address, the rules with their weights, the counters
//	GET    /counts       by target group ARN: the counters, also by target
//	GET    /faults       the active faults, each with the number of calls it has affected
//	POST   /faults       {"kind": "Throttle", "action": "ModifyListener", "arn": "...", "skip": 0, "times": 3, "delay": "200ms"}
//	DELETE /faults/{id}  one of them
//	DELETE /faults       all of them
package localalb
