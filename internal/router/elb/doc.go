// Package elb implements traffic.Router for AWS Application and Network Load Balancers. A route is a
// listener (its default action) or, of an Application Load Balancer, a listener rule, and a group is a
// target group; both are identified by their ARN, which also sets the region of each call.
//
// A Network Load Balancer forwards connections: weights apply to new ones, and open ones stay with
// their target until a peer closes them.
//
// The API replaces the action list of a route as a whole. It returns neither the client secret of
// an authenticate-oidc action nor the weight of a single target group, and has no conditional
// writes: the last writer wins. So a traffic.State carries the actions that were read in Raw, and
// Write sends them back with only the routing action replaced.
package elb
