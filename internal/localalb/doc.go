// Package localalb is a stand-in for Elastic Load Balancing v2 with a data plane that is real.
package localalb
