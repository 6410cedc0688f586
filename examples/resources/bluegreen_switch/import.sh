# <entry point>=<ARN>, with several ARNs joined by "+" and several entry points by commas.
terraform import bluegreen_switch.web 'web=arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2'
