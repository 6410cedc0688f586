# One module with for_each.

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

module "app" {
  source   = "../modules/app"
  for_each = var.releases

  environment  = each.key
  release      = each.value
  listener_arn = module.balancer.listener_arn
  size         = 1
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = module.app[each.key].target_group_arn }
  test_routes   = [module.app[each.key].test_rule_arn]
  backed_by     = [module.app[each.key].machines]
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

  environments = bluegreen_environment.app
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

