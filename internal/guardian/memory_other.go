//go:build !linux

package guardian

// dropProgram does nothing where the memory of a program cannot be dropped.
func dropProgram() {}
