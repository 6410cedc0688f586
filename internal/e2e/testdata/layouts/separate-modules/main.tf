# Target groups and machines in separate modules.

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

module "target_group" {
  source   = "../modules/target_group"
  for_each = var.releases

  name         = "app"
  environment  = each.key
  listener_arn = module.balancer.listener_arn
}

module "machines" {
  source   = "../modules/machines"
  for_each = var.releases

  environment      = each.key
  release          = each.value
  target_group_arn = module.target_group[each.key].arn
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = module.target_group[each.key].arn }
  test_routes   = [module.target_group[each.key].test_rule_arn]
  backed_by     = [module.machines[each.key].id]
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

