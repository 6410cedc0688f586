// Package route53 implements traffic.Router for weighted records of Amazon Route 53. A route is the
// record sets of one name and type in a hosted zone, "ZONE/name/TYPE", and a group is the record sets
// of one set identifier under a name, of whatever type, "ZONE/name#IDENTIFIER".
//
// A route has exactly the groups for which record sets exist: Write changes weights, and creates and
// removes nothing. A group that a desired state leaves out gets weight 0.
//
// The API changes record sets in atomic batches, and deletes one only where every value matches. So
// Write sends DELETE of what it has just read and CREATE of the same with other weights: a concurrent
// change makes the batch fail, and nothing is overwritten (see Router.Write). The writes of a
// traffic.Group in a zone are one batch.
//
// A batch that is accepted reaches the name servers of Route 53 within about a minute (InSync), and
// resolvers may keep an earlier answer for the time to live of the record sets after that
// (traffic.State.Cached).
package route53
