// Package gate holds the kinds of rollout.Gate, one file per kind. A kind is built
// from a plain struct of its arguments. Its Check reports what is wrong as far as
// the configuration alone shows it, so that the plan can report it; building the
// gate checks the rest, such as environment variables.
//
// Verdict details are read by people, in plans, logs and state. They report the
// observed value, the limit and the number of samples. They never contain the value
// of a header that was sent, even where a response repeats it.
package gate
