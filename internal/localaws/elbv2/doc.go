// Package elbv2 is the control plane of the stand-in: the API of Elastic Load Balancing v2. It holds the resources,
// validates every call as AWS does, and configures the data plane.
//
// Load balancers, target groups, listeners and rules can be created, described, modified and deleted, with
// their attributes and tags. Targets can be registered, deregistered and described with their health, and rule
// priorities can be set. Quotas, error codes and quirks are those of AWS: 20 ARNs in a Describe call, five
// groups in an action, lists that are replaced as a whole while other omitted fields keep their values,
// ResourceInUse for a group that is in an action, secrets that are never returned, groups in an order that
// differs from the one sent. Regions are isolated from each other.
//
// Tags have the limits of the API: 50 on a resource, keys of 1 to 128 and values of at most 256 characters, and only
// letters, digits, separators and + - = . _ : / @ in both. AddTags and RemoveTags take a list of resources but, like
// AWS, reject more than one. DescribeTags accepts 20. There are no system tags: keys with the prefix aws: are rejected.
//
// Differences from AWS: loopback addresses are valid targets. Certificates and subnets need not exist; subnets
// are assigned the zones a to f in the order of their first use. DNS names end in elb.localhost. Load balancers
// are active immediately. Gateway load balancers, gRPC, mutual TLS, rule transforms and application-cookie
// stickiness are not simulated and are rejected with an error that says so. Slow start and the other load
// balancing algorithms are accepted as settings, but targets are always chosen round robin. Of network load balancers,
// listeners with TCP, TLS, UDP and TCP_UDP that forward by weight are simulated; rules, target group stickiness, source IP
// stickiness, QUIC and proxy protocol are rejected.
//
// # State
//
// A write works on a copy of the state. It takes effect as a whole, in the control plane and in the data plane, or
// not at all. A state that was read never changes.
package elbv2
