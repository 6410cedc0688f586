// Package routertest holds what every router is tested with: the contract of
// rollout.Router as a suite (Run), and a router in memory that keeps it
// (NewMemory), for tests of whoever uses a router.
package routertest
