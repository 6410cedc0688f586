terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

# Credentials come from the AWS SDK's own default chain, the region of each call
# from the ARN. Everything here is optional.
provider "bluegreen" {
  aws = {
    profile             = "production"
    allowed_account_ids = ["123456789012"]
  }
}
