// Package gate holds the kinds of rollout.Gate, one file for each. A kind is
// made from a plain struct of its arguments, whose Check says what is wrong with
// them as far as the configuration alone can tell, so that it is said at plan;
// making the gate looks at the rest, such as the environment.
//
// What a gate says is read by people, in a plan's output, in logs and in the
// state. It tells the value seen, the limit and the number of samples, and no
// value of a header that was sent, not even where an answer repeats it.
package gate
