// Package lambda is the part of AWS Lambda that the stand-in has: functions, their published versions, aliases that
// divide invocations between two versions, provisioned concurrency, tags and invocations. It serves the REST API of
// 2015-03-31 and the later paths that belong to it.
//
// A version runs: an invocation is a POST of the payload to the URL in the environment variable LOCALAWS_HANDLER that
// the version was published with, such as that of a process or of a test server. A version keeps its own variables, so
// two versions are two processes. A response with a status of 400 or above is a function error. The additional version
// of an alias gets its share of invocations exactly, and X-Amz-Executed-Version says which version ran.
//
// Validation, error codes and messages are those of Lambda where they are known from its model or were observed; where
// a message is an assumption, a comment at the code says so. As in Lambda, an update of an alias keeps what it leaves
// out, every update gives the alias a new RevisionId, and an alias cannot have both weights and provisioned
// concurrency: a new version of an alias with provisioned concurrency gets no invocations before it is provisioned, which
// the alias shows as a weight of 1 for the previous version.
//
// Differences from AWS: code and roles are not used, and the roles and dead-letter queues of two versions of an alias are
// not compared, no quota of concurrency applies, asynchronous
// invocations are not retried, and there are no event sources, function URLs, layers or policies. Regions are isolated
// from each other.
package lambda
