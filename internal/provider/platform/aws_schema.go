package platform

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// AWSBlock is the provider's block aws.
func AWSBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "AWS configuration. Default: the environment, shared configuration files and instance or task role, as in the AWS SDK.",
		NestedObject:        schema.NestedBlockObject{Attributes: awsAttributes(), Blocks: awsBlocks()},
	}
}

// awsText is an optional string.
func awsText(description string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, MarkdownDescription: description}
}

func awsAttributes() map[string]schema.Attribute {
	secret := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: description}
	}
	texts := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"profile":                  awsText("Profile in the shared configuration files. Default: `AWS_PROFILE`, or `default`."),
		"region":                   awsText("Region for STS. Load balancers are always called in the region of their ARN. Default: `AWS_REGION`, the region of the profile, the region of the first ARN, or for records that of Route 53 (`us-east-1`, or the one of the partition of the role)."),
		"access_key":               awsText("Access key ID. Requires `secret_key`. Default: the credential chain of the AWS SDK."),
		"secret_key":               secret("Secret access key. Requires `access_key`. Prefer the environment variable `AWS_SECRET_ACCESS_KEY`."),
		"token":                    secret("Session token of temporary credentials. Requires `access_key` and `secret_key`."),
		"shared_config_files":      texts("Paths of shared configuration files. Default: `~/.aws/config`."),
		"shared_credentials_files": texts("Paths of shared credentials files. Default: `~/.aws/credentials`."),
		"max_attempts": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Maximum number of attempts per API call, 1 or more. A rollback has its own retries. Default: `AWS_MAX_ATTEMPTS`, the value of the profile, or `10`, because Elastic Load Balancing throttles per account.",
		},
		"allowed_account_ids": texts("IDs (12 digits each) of the AWS accounts that may be changed. Checked at plan for the ARNs of routes and target groups and for the credentials that create a switch, and before the first write. Default: any account."),
	}
}

func awsBlocks() map[string]schema.Block {
	return map[string]schema.Block{
		"assume_role": schema.ListNestedBlock{
			MarkdownDescription: "IAM role to assume with these credentials.",
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"role_arn":     schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the role."},
				"session_name": awsText("Session name, shown in CloudTrail. Default: `terraform-provider-bluegreen`."),
				"external_id":  awsText("External ID that the role requires. Default: none."),
				"duration":     awsText("Session duration from `15m` to `12h`. Sessions are renewed automatically. Default: `15m`."),
			}},
		},
		"assume_role_with_web_identity": schema.ListNestedBlock{
			MarkdownDescription: "IAM role to assume with a token of an identity provider.",
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"role_arn":                schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the role."},
				"session_name":            awsText("Session name, shown in CloudTrail. Default: `terraform-provider-bluegreen`."),
				"web_identity_token_file": awsText("Path of the token file. Default: `AWS_WEB_IDENTITY_TOKEN_FILE`."),
			}},
		},
		"endpoints": schema.ListNestedBlock{
			MarkdownDescription: "Custom service endpoints, such as `http://127.0.0.1:4566` for a local implementation.",
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"elbv2":      awsText("Elastic Load Balancing. Default: AWS, or `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`."),
				"route53":    awsText("Amazon Route 53. Default: AWS, or `AWS_ENDPOINT_URL_ROUTE_53`."),
				"lambda":     awsText("AWS Lambda. Default: AWS, or `AWS_ENDPOINT_URL_LAMBDA`."),
				"cloudwatch": awsText("CloudWatch, for the gates `cloudwatch_alarm`, `cloudwatch_metric` and `target_metrics`. Default: AWS, or `AWS_ENDPOINT_URL_CLOUDWATCH`."),
				"sts":        awsText("Security Token Service. Default: AWS, or `AWS_ENDPOINT_URL_STS`."),
			}},
		},
	}
}
