// Package network tests releases through a Network Load Balancer, in lock-step with an Application Load Balancer.
package network

import (
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/e2e"
)

func TestMain(m *testing.M) { e2e.Main(m) }
