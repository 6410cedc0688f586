# The state of the application: the machines and the environments. An environment with
# traffic is protected here although the switch is in another state.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

module "balancer" { # stands in for your aws_lb and aws_lb_listener
  source = "../../modules/balancer"
  name   = "web"
}

module "app" { # stands in for your own module: target group, test rule, machines
  source   = "../../modules/app"
  for_each = var.releases

  environment  = each.key
  release      = each.value
  listener_arn = module.balancer.listener_arn
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = module.app[each.key].target_group_arn }
  test_routes   = [module.app[each.key].test_rule_arn]
  backed_by     = [module.app[each.key].machines]

  ready {
    min_healthy_targets = 2
    steady_for          = "60s"
    gate {
      name = "version"
      http {
        url         = module.balancer.url
        headers     = { "X-Environment" = each.key }
        expect_body = "version ${replace(each.value, ".", "\\.")}\\b"
      }
    }
  }

  lifecycle { create_before_destroy = true }
}
