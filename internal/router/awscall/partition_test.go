package awscall_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/router/awscall"
)

func TestPartitionOf(t *testing.T) {
	const china, gov = "arn:aws-cn:iam::123456789012:role/release", "arn:aws-us-gov:iam::123456789012:role/release"
	keys := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	web := config.EnvConfig{WebIdentityTokenFilePath: "/token", RoleARN: china}
	for name, c := range map[string]struct {
		options config.LoadOptions
		env     config.EnvConfig
		profile config.SharedConfig
		want    string
	}{
		"nothing":                      {},
		"keys in the environment":      {env: config.EnvConfig{Credentials: keys, WebIdentityTokenFilePath: "/token", RoleARN: china}, profile: config.SharedConfig{RoleARN: gov}},
		"role of the environment":      {env: web, profile: config.SharedConfig{RoleARN: gov}, want: "aws-cn"},
		"role of a profile":            {profile: config.SharedConfig{RoleARN: gov}, want: "aws-us-gov"},
		"profile named by a program":   {options: config.LoadOptions{SharedConfigProfile: "gov"}, env: web, profile: config.SharedConfig{RoleARN: gov}, want: "aws-us-gov"},
		"credentials of a program":     {options: config.LoadOptions{Credentials: credentials.StaticCredentialsProvider{Value: keys}}, env: web},
		"malformed role":               {profile: config.SharedConfig{RoleARN: "release"}},
		"keys of a profile":            {profile: config.SharedConfig{Credentials: keys, SSORegion: "us-gov-west-1"}},
		"IAM Identity Center":          {profile: config.SharedConfig{SSOSession: &config.SSOSession{SSORegion: "us-gov-east-1"}}, want: "aws-us-gov"},
		"IAM Identity Center, legacy":  {profile: config.SharedConfig{SSORegion: "cn-north-1"}, want: "aws-cn"},
		"IAM Identity Center, Europe":  {profile: config.SharedConfig{SSORegion: "eu-central-1"}, want: "aws"},
		"IAM Identity Center, another": {profile: config.SharedConfig{SSORegion: "us-isob-east-1"}, want: "aws-iso-b"},
	} {
		if got := awscall.PartitionOf(aws.Config{ConfigSources: []any{c.options, c.env, c.profile}}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
