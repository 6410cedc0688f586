# An environment with two entry points, web and api, each with its own listener,
# target groups and machines. They shift in lock-step: 5 % of web and api, then 50 %
# of both.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

module "balancer" { # stands in for your aws_lb and aws_lb_listener, one for each entry point
  source   = "../modules/balancer"
  for_each = { web = 8080, api = 8081 }

  name = each.key
  port = each.value
}

module "web" { # stands in for your own modules: target group, test rule, machines
  source   = "../modules/app"
  for_each = var.releases

  name         = "web"
  environment  = each.key
  release      = each.value
  listener_arn = module.balancer["web"].listener_arn
}

module "api" {
  source   = "../modules/app"
  for_each = var.releases

  name         = "api"
  environment  = each.key
  release      = each.value
  listener_arn = module.balancer["api"].listener_arn
}

resource "bluegreen_environment" "shop" {
  for_each = var.releases

  name    = each.key
  version = each.value
  target_groups = {
    web = module.web[each.key].target_group_arn
    api = module.api[each.key].target_group_arn
  }
  test_routes = [module.web[each.key].test_rule_arn, module.api[each.key].test_rule_arn]
  backed_by   = [module.web[each.key].machines, module.api[each.key].machines]

  ready {
    steady_for = "60s"
    dynamic "gate" {
      for_each = toset(["web", "api"])
      content {
        name = gate.key
        http {
          url         = module.balancer[gate.key].url
          headers     = { "X-Environment" = each.key }
          expect_body = "version ${replace(each.value, ".", "\\.")}\\b"
        }
      }
    }
  }

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "shop" {
  load_balancer {
    routes = {
      web = [module.balancer["web"].listener_arn]
      api = [module.balancer["api"].listener_arn]
    }
  }

  environments = bluegreen_environment.shop
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

  # A failed gate rolls both back, whichever of them it observes.
  dynamic "gate" {
    for_each = toset(["web", "api"])
    content {
      name     = gate.key
      interval = "10s"
      http {
        url     = module.balancer[gate.key].url
        headers = { "X-Environment" = var.active }
        samples = 5
      }
    }
  }
}
