# One module block, and one environment, for each environment.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

variable "releases" {
  type    = map(string)
  default = { blue = "1", green = "1" }
}

variable "active" {
  type    = string
  default = "blue"
}

module "balancer" {
  source = "../modules/balancer"
  name   = "web"
}

module "blue" {
  source = "../modules/app"
  count  = contains(keys(var.releases), "blue") ? 1 : 0

  environment  = "blue"
  release      = var.releases["blue"]
  listener_arn = module.balancer.listener_arn
  size         = 1
}

resource "bluegreen_environment" "blue" {
  count = contains(keys(var.releases), "blue") ? 1 : 0

  name          = "blue"
  version       = var.releases["blue"]
  target_groups = { web = one(module.blue).target_group_arn }
  test_routes   = [one(module.blue).test_rule_arn]
  backed_by     = [one(module.blue).machines]
  drain         = "60s"

  ready {
    steady_for = "15s"
  }

  lifecycle { create_before_destroy = true }
}

module "green" {
  source = "../modules/app"
  count  = contains(keys(var.releases), "green") ? 1 : 0

  environment  = "green"
  release      = var.releases["green"]
  listener_arn = module.balancer.listener_arn
  size         = 1
}

resource "bluegreen_environment" "green" {
  count = contains(keys(var.releases), "green") ? 1 : 0

  name          = "green"
  version       = var.releases["green"]
  target_groups = { web = one(module.green).target_group_arn }
  test_routes   = [one(module.green).test_rule_arn]
  backed_by     = [one(module.green).machines]
  drain         = "60s"

  ready {
    steady_for = "15s"
  }

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [module.balancer.listener_arn] }
  }

  environments = { for e in concat(bluegreen_environment.blue, bluegreen_environment.green) : e.name => e }
  active       = var.active

  strategy {
    steps  = [{ percent = 50, hold = "1m" }]
    settle = "60s"
  }

  health {
    steady_for = "15s"
  }
}

output "url" {
  value = module.balancer.url
}

