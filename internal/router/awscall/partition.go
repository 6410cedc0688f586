package awscall

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
)

// PartitionOf returns the partition of AWS that the credentials of a configuration belong to, such as "aws-cn", as far
// as the configuration shows it without a call: by the role that the SDK assumes, or by the region of IAM Identity
// Center. It is empty where it is not known, as for access keys: they do not show where they belong.
func PartitionOf(cfg aws.Config) string {
	var env config.EnvConfig
	var profile config.SharedConfig
	named := false // the profile, by a program: it comes before the environment then
	for _, source := range cfg.ConfigSources {
		switch c := source.(type) {
		case config.EnvConfig:
			env = c
		case config.SharedConfig:
			profile = c
		case config.LoadOptions:
			named = c.SharedConfigProfile != ""
			if c.Credentials != nil {
				return ""
			}
		}
	}
	switch {
	case !named && env.Credentials.HasKeys():
		return ""
	case !named && env.WebIdentityTokenFilePath != "":
		return partitionOfRole(env.RoleARN)
	case profile.RoleARN != "":
		return partitionOfRole(profile.RoleARN)
	case profile.Credentials.HasKeys():
		return ""
	case profile.SSOSession != nil:
		return partitionOfRegion(profile.SSOSession.SSORegion)
	}
	return partitionOfRegion(profile.SSORegion)
}

// partitionOfRole returns the partition of an ARN; a malformed one has none.
func partitionOfRole(role string) string {
	parsed, _ := arn.Parse(role)
	return parsed.Partition
}

func partitionOfRegion(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p.regions) {
			return p.name
		}
	}
	if region == "" {
		return ""
	}
	return "aws"
}

// partitions are those beside "aws", with the prefix of their regions.
var partitions = []struct{ regions, name string }{
	{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"eusc-", "aws-eusc"},
	{"us-iso-", "aws-iso"}, {"us-isob-", "aws-iso-b"}, {"eu-isoe-", "aws-iso-e"}, {"us-isof-", "aws-iso-f"},
}
