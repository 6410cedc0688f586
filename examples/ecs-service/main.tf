# Blue and green as two ECS services. ECS refuses to create a service while its
# target group is in no listener and no rule, so the test rule is created first and
# the service depends on it.

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

module "target_group" { # stands in for aws_lb_target_group and the aws_lb_listener_rule for test traffic
  source   = "../modules/target_group"
  for_each = var.releases

  name         = "app"
  environment  = each.key
  listener_arn = module.balancer.listener_arn
}

module "service" { # stands in for aws_ecs_service with wait_for_steady_state = true
  source   = "../modules/service"
  for_each = var.releases

  name             = "app-${each.key}"
  release          = each.value
  target_group_arn = module.target_group[each.key].arn # depends on the test rule
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value # on AWS: aws_ecs_task_definition.app[each.key].arn
  target_groups = { web = module.target_group[each.key].arn }
  test_routes   = [module.target_group[each.key].test_rule_arn]
  backed_by     = [module.service[each.key].id]

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

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [module.balancer.listener_arn] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  strategy {
    steps  = [{ percent = 10, hold = "5m" }]
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
