// Package export turns the journal of a shift into a trace, and sends it by OTLP/HTTP: the shift is
// the root span, its phases are below it, and the gates of a phase below that. Evaluations, writes
// and turning points are events.
//
// The same journal has the same trace and span ids each time. Attributes follow the semantic
// conventions for CI/CD and deployments; what they do not have begins with "bluegreen.".
package export
