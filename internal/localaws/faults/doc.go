// Package faults makes calls of the stand-in fail as AWS and the network do. A Fault names a kind of misbehavior and
// the calls that it affects; a Set holds the active ones and says what they do to a call. A Fault with an unknown kind
// or action is an error that names the known ones.
package faults
