package platform

import (
	"errors"
	"testing"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/golden"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

// A target group whose protocol does not suit the load balancer of the routes.
func TestGroupDetail_namesTheProtocols(t *testing.T) {
	const group = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/blue/73e2d6bc24d8a067"
	for _, e := range []elb.GroupError{
		{Group: group, Protocol: "TCP", Type: elb.Application, Err: elb.ErrProtocol},
		{Group: group, Protocol: "HTTP", Type: elb.Network, Err: elb.ErrProtocol},
		{Group: group, Type: elb.Network, Err: elb.ErrProtocol},
	} {
		d, ok := elbDetail(errors.Join(&e))
		if !ok {
			t.Errorf("%v has no text", &e)
		}
		golden.Record(t, d.Diagnostic("Cannot start the shift").Detail())
	}
}
