// Package cloudwatch is the part of the stand-in that simulates CloudWatch: metrics, metric math and alarms.
//
// PutMetricAlarm, PutCompositeAlarm, PutLogAlarm, DeleteAlarms, SetAlarmState, DescribeAlarms, GetMetricData and
// PutMetricData are served in the protocol of current SDKs (Smithy RPC v2 CBOR), of the current AWS CLI (JSON)
// and of older versions of both (Query). Regions are isolated from each other.
//
// The load balancer's own metrics are in the namespace AWS/ApplicationELB. With the dimensions LoadBalancer and
// TargetGroup: RequestCount, HTTPCode_Target_2XX_Count to 5XX, TargetResponseTime, TargetConnectionErrorCount,
// HealthyHostCount and UnHealthyHostCount; with LoadBalancer alone the sums of those but the last two, and
// HTTPCode_ELB_4XX_Count, 5XX, 502, 503 and 504. As with AWS, RequestCount includes a request once a target is
// chosen for it, a counter of zero has no point, a group without targets has no host counts, and there is a point
// per minute, which becomes visible a minute after the end of its period. Options.Period can be shorter, which AWS
// does not have: results that depend on it must say so. The response time is measured from the last byte of the
// request (without a body from its start, including the connection setup) to the headers of the response;
// percentiles are off by less than 1 %. The metrics outlive their resources and are retained for 10,800 periods.
//
// Network load balancers have the namespace AWS/NetworkELB: HealthyHostCount and UnHealthyHostCount by target group, and
// NewFlowCount, TCP_Client_Reset_Count, TCP_Target_Reset_Count and TCP_ELB_Reset_Count of the whole load balancer, because
// AWS publishes none of those by target group.
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
package cloudwatch
