# The name, then <entry point>=<target group ARN> for each entry point, separated by commas.
terraform import bluegreen_environment.green 'green,web=arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/73e2d6bc24d8a067'
