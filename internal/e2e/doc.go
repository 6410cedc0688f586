// Package e2e tests whole applies: the provider built from this tree, a real
// Terraform, real application processes under continuous load, and the signals that
// end them. Only the load balancer is simulated, by localaws.
package e2e
