// Package elb moves traffic on AWS Application Load Balancers: a route is a
// listener (its default action) or a listener rule, known by its ARN, and a
// group is a target group, known by its ARN as well. The region of each call
// comes from the ARN that it is about.
//
// The API replaces the list of actions of a route whole, returns neither the
// client secret of an authenticate-oidc action nor the weight of a lone group,
// and knows no condition on a write: the last writer wins. So a Setting carries
// in Keep the actions that were read, and a Write sends these with nothing but
// the routing action replaced.
package elb
