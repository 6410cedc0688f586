# The state of the traffic: only the switch. A release needs no permission to change
# machines.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

data "terraform_remote_state" "app" {
  backend = "local" # for example s3 or HCP Terraform
  config  = { path = "../app/terraform.tfstate" }
}

locals {
  app = data.terraform_remote_state.app.outputs
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [local.app.listener_arn] }
  }

  environments = { for name, e in local.app.environments : name => e if !contains(var.leaving, name) }
  active       = var.active

  strategy {
    steps = [
      { percent = 5, hold = "10m" },
      { percent = 50, hold = "5m" },
    ]
    bake   = "10m"
    settle = "60s"
  }

  health {
    steady_for = "15s"
  }

  gate {
    name     = "answers"
    interval = "10s"
    http {
      url     = local.app.url
      headers = { "X-Environment" = var.active }
      samples = 5
    }
  }
}
