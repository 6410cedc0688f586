# One environment between releases. A release creates the new environment, shifts
# the traffic, drains and destroys the old environment, all in one apply. The edit
# replaces the name and version in `releases`, and `active`.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

module "balancer" { # stands in for your aws_lb and aws_lb_listener
  source = "../modules/balancer"
  name   = "web"
}

module "app" { # stands in for your own module: target group, test rule, machines
  source   = "../modules/app"
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
  backed_by     = [module.app[each.key].machines] # destroyed after the environment
  drain         = "5m"                            # for requests in flight to the old environment

  ready {
    min_healthy_targets = 2
    steady_for          = "60s"
    # Through the test rule: is it the right version?
    gate {
      name = "version"
      http {
        url         = module.balancer.url
        headers     = { "X-Environment" = each.key }
        expect_body = "version ${replace(each.value, ".", "\\.")}\\b"
      }
    }
  }

  # Without it Terraform would destroy the old environment before the shift, which
  # is refused. Set it from the first apply on.
  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [module.balancer.listener_arn] }
  }

  environments = bluegreen_environment.app
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
      url     = module.balancer.url
      headers = { "X-Environment" = var.active }
      samples = 5
    }
  }
}
