// Package walls holds two limits that no linter has: methods per type and files per
// package. Its test is part of make lint. What is above a limit is two things: split it.
package walls
