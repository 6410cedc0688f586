# Blue and green are two published versions of a Lambda function behind one alias.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

module "api" { # stands in for your aws_lambda_function
  source   = "../modules/function_version"
  for_each = var.releases

  environment = each.key
  release     = each.value
}

module "live" { # stands in for your aws_lambda_alias
  source      = "../modules/function_alias"
  environment = "blue"

  depends_on = [module.api]
}

resource "bluegreen_environment" "api" {
  for_each = var.releases

  name              = each.key
  version           = each.value
  function_versions = { api = module.api[each.key].number }
  backed_by         = [module.api[each.key].id]

  # The timeout of the function: an invocation ends on the version on which it began.
  drain = "30s"

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "api" {
  lambda {
    routes = { api = [module.live.arn] }
  }

  environments = bluegreen_environment.api
  active       = var.active

  strategy {
    steps  = [{ percent = 10, hold = "10m" }] # CodeDeployDefault.LambdaCanary10Percent10Minutes
    bake   = "10m"
    settle = "30s"
  }

  health {
    steady_for = "15s"
  }

  gate {
    name     = "answers"
    interval = "10s"
    http {
      url     = module.live.url
      samples = 20
    }
  }
}
