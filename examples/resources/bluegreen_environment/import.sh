# The name, then for each entry point "=" and the ARN of its target group, all joined by ",".
terraform import bluegreen_environment.green 'green,web=arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/green/73e2d6bc24d8a067'
