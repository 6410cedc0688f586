# Blue and green behind a listener of a Network Load Balancer. Weights apply to new
# connections; open connections stay with their target until they close.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

module "app" { # stands in for your own module: target group, machines
  source   = "../modules/network_app"
  for_each = var.releases

  environment = each.key
  release     = each.value
}

module "balancer" { # stands in for your aws_lb and aws_lb_listener
  source           = "../modules/network_balancer"
  name             = "tcp"
  target_group_arn = module.app["blue"].target_group_arn
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { tcp = module.app[each.key].target_group_arn }
  backed_by     = [module.app[each.key].machines]

  # Longer than connections live: they stay with the environment until they close.
  drain = "30m"

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "tcp" {
  load_balancer {
    routes = { tcp = [module.balancer.listener_arn] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  strategy {
    steps = [
      { percent = 5, hold = "10m" },
      { percent = 50, hold = "10m" },
    ]
    bake   = "30m"
    settle = "60s"
  }

  health {
    steady_for = "15s"
  }

  # New connections, as users open them: the weights decide which environment answers.
  # On AWS, add cloudwatch_metric with HealthyHostCount or metrics of the application.
  gate {
    name     = "answers"
    interval = "10s"
    http {
      url     = module.balancer.url
      samples = 20
    }
  }
}
