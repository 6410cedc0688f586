# Expand and contract around a release: what the new version needs is added before
# its machines start, compatible with the old version; what no version needs is
# removed after the shift has completed.

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

# Stands in for your own migration, such as a job or a Lambda function.
resource "terraform_data" "expand" {
  triggers_replace = [var.expand]
  provisioner "local-exec" {
    command = "localapp database migrate -name ${var.expand}"
  }
}

module "app" { # stands in for your own module: target group, test rule, machines
  source   = "../modules/app"
  for_each = var.releases

  environment  = each.key
  release      = each.value
  listener_arn = module.balancer.listener_arn

  depends_on = [terraform_data.expand]
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = module.app[each.key].target_group_arn }
  test_routes   = [module.app[each.key].test_rule_arn]
  backed_by     = [module.app[each.key].machines]
  drain         = "5m"

  ready {
    min_healthy_targets = 2
    steady_for          = "60s"
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

# Depends on the switch: a rolled back release contracts nothing.
resource "terraform_data" "contract" {
  count            = var.contract == null ? 0 : 1
  triggers_replace = [var.contract]
  provisioner "local-exec" {
    command = "localapp database migrate -name ${var.contract}"
  }
  depends_on = [bluegreen_switch.web]
}
