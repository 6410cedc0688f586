// Package lambda implements traffic.Router for aliases of AWS Lambda functions. A route is an alias, and
// a group is a published version of its function; both are identified by their ARN, which also sets the
// region of each call.
//
// An alias has one version, and at most one additional version with a weight from 0 to 1, so a route has
// at most two groups. A version with no share is not part of an alias: the router removes it, and a state
// never has a group at weight 0. A version needs no place in an alias to be ready.
//
// The version that an alias has keeps its place while it has a share, and the other one is the additional
// version, as with CodeDeploy: a shift changes one number per step, the last step changes the version, and
// every rollback is one call. Weights are written as decimal fractions with three digits.
//
// Every change gives an alias a new RevisionId, with which Write makes sure that nobody else changes the
// alias between its read and its write (see ErrChanged). Records of shifts have no place here: aliases
// have no tags.
//
// An alias with provisioned concurrency cannot be divided: Lambda refuses weights for it. CheckGroups says
// so before a shift. Provisioned concurrency belongs on the versions, where Health waits for it.
package lambda
