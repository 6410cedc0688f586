// Package proc starts, signals and stops processes: signals that a process must survive,
// and commands in process groups of their own.
package proc
