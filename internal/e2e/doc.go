// Package e2e runs whole applies for the tests below it: the provider built from this
// tree, a real Terraform, real application processes under continuous load, and the
// signals that end them. Only the load balancer is simulated, by localaws.
//
// A World is a switch on a load balancer that exists; a Project is a configuration that
// creates everything itself. The tests are in packages that each take at most a few
// minutes, because Go runs packages in parallel.
package e2e
