terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

# Credentials come from the default credential chain of the AWS SDK, the region of
# each call from the ARN. All arguments are optional.
provider "bluegreen" {
  report_dir = ".bluegreen" # a journal and an HTML page of every shift

  aws {
    profile             = "production"
    allowed_account_ids = ["123456789012"]
  }

  notify {
    name   = "on-call"
    events = ["approval_needed", "rolled_back", "failed"]
    slack {
      url_env = "SLACK_WEBHOOK_URL" # the variable with the URL of an incoming webhook
    }
  }
}
