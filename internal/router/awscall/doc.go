// Package awscall has what the routers of AWS services have in common: how often and how long a
// call is tried (Policy), what its error means (Meaning), answers that leave something out, and
// reads that several callers share (Batcher, Cache). It knows no service.
package awscall
