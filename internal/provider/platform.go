package provider

import (
	"github.com/bluegreen/terraform-provider-bluegreen/internal/release"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/elb"
)

func elbPlatform() release.Platform {
	return release.Platform{Limits: elb.Limits(), GroupName: func(group string) string {
		arn, err := elb.ParseGroup(group)
		if err != nil {
			return group
		}
		return arn.Name
	}}
}
