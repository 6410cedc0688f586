// Package e2e holds the tests of whole applies: a provider built from this
// tree, a real Terraform, real processes of the application under a load that
// never stops, and the signals that end them. The balancer alone is localalb.
package e2e
