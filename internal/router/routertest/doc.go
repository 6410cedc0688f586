// Package routertest tests routers and their callers: Run is the contract of
// traffic.Router as a test suite, and NewMemory an in-memory router that complies with
// it.
package routertest
