package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// providerModel is the provider's configuration.
type providerModel struct {
	AWS types.Object `tfsdk:"aws"`
}

func providerSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "Blue/green and canary releases on AWS Application Load Balancers: one `terraform apply` moves the traffic in steps, " +
			"watches gates and health, and moves it back when something is wrong.\n\n" +
			"Everything is optional. Credentials come from the default chain of the AWS SDK; the region of each call comes from the ARN that it is about.",
		Attributes: map[string]schema.Attribute{
			"aws": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "How AWS is called. Omitted: as the AWS SDK does by itself, from the environment, the shared files or the machine's role.",
				Attributes:          awsAttributes(),
			},
		},
	}
}

func awsAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	secret := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: description}
	}
	texts := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"profile":                  text("Profile of the shared files. Default: `AWS_PROFILE`, or else `default`."),
		"region":                   text("Region for STS. Default: `AWS_REGION`, or else that of the profile, or else that of the first ARN. Load balancers are always called in the region of their ARN."),
		"access_key":               text("Access key id. Needs `secret_key`. Default: the SDK's chain."),
		"secret_key":               secret("Secret access key. Needs `access_key`. Better left to the environment (`AWS_SECRET_ACCESS_KEY`)."),
		"token":                    secret("Session token of temporary credentials. Needs `access_key` and `secret_key`."),
		"shared_config_files":      texts("Paths of shared configuration files. Default: `~/.aws/config`."),
		"shared_credentials_files": texts("Paths of shared credentials files. Default: `~/.aws/credentials`."),
		"assume_role": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "A role to assume with these credentials.",
			Attributes: map[string]schema.Attribute{
				"role_arn":     schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the role."},
				"session_name": text("Name of the session, as CloudTrail shows it. Default: `terraform-provider-bluegreen`."),
				"external_id":  text("External id that the role asks for. Default: none."),
				"duration":     text("How long a session lasts, as a duration from `15m` to `12h` (the limits of STS). Default: `15m`; it is renewed by itself."),
			},
		},
		"assume_role_with_web_identity": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "A role to assume with a token of an identity provider.",
			Attributes: map[string]schema.Attribute{
				"role_arn":                schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the role."},
				"session_name":            text("Name of the session, as CloudTrail shows it. Default: `terraform-provider-bluegreen`."),
				"web_identity_token_file": text("Path of a file with the token. Default: `AWS_WEB_IDENTITY_TOKEN_FILE`."),
			},
		},
		"max_attempts": schema.Int64Attribute{
			Optional: true,
			MarkdownDescription: "How often a call is tried in all, 1 or more. Default: `AWS_MAX_ATTEMPTS` or the profile's, or else `10`, since Elastic Load Balancing throttles a whole account. " +
				"A way back has retries of its own.",
		},
		"allowed_account_ids": texts("Ids of the AWS accounts that may be changed. It is checked once, before the first write. Default: any."),
		"endpoints": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Other addresses of the services, such as that of a local stand-in: `http://127.0.0.1:4566`.",
			Attributes: map[string]schema.Attribute{
				"elbv2":      text("Elastic Load Balancing. Default: AWS, or `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`."),
				"cloudwatch": text("CloudWatch, which the gates `cloudwatch_alarm`, `cloudwatch_metric` and `target_metrics` ask. Default: AWS, or `AWS_ENDPOINT_URL_CLOUDWATCH`."),
				"sts":        text("Security Token Service. Default: AWS, or `AWS_ENDPOINT_URL_STS`."),
			},
		},
	}
}
