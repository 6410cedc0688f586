// Package console shows shifts on a terminal: with color, with bars for weights, and redrawn in
// place while they run. What is not a terminal gets the plain lines of the packages operate and
// report, which this package only decorates.
package console
