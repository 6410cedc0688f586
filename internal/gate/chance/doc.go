// Package chance decides whether chance explains that a release has more bad requests than
// a limit allows, or than the live environment has. It knows counts and nothing of where
// they come from.
//
//   - significance.go: Evidence, and which test answers which question;
//   - proportions.go: the tests of one and two proportions of independent requests;
//   - dispersion.go: how many requests that are not independent count as one;
//   - spending.go: the threshold of each of many evaluations;
//   - ranks.go: a test for two times that are not the same, by period;
//   - binomial.go: the binomial distribution.
//
// Standard library only.
package chance
