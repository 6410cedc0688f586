# A listener stays in its module, and a rule beside it has the traffic. Create the rule
# in one apply, and give the listener its fixed response in the next: in a single apply
# the listener would change first, and users would get its response.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "aws" {
  region = var.region
  ignore_tags {
    key_prefixes = ["bluegreen:"] # of a running shift
  }
}

provider "bluegreen" {}

module "alb" {
  source  = "./alb"
  name    = "web"
  subnets = var.subnets
  # Second apply. Until then: target_group_arn = aws_lb_target_group.app["blue"].arn
  listeners = { http = { port = 80 } }
}

# The switch manages this rule, which every request matches that no rule with a lower
# number does.
resource "aws_lb_listener_rule" "web" {
  listener_arn = module.alb.listener_arns["http"]
  priority     = 49000

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app["blue"].arn
  }
  condition {
    path_pattern {
      values = ["/*"]
    }
  }

  lifecycle { ignore_changes = [action] }
}

resource "aws_lb_target_group" "app" {
  for_each    = var.releases
  name_prefix = "app-"
  port        = var.port
  protocol    = "HTTP"
  vpc_id      = var.vpc
  lifecycle { create_before_destroy = true }
}

resource "aws_lb_target_group_attachment" "app" {
  for_each         = var.releases
  target_group_arn = aws_lb_target_group.app[each.key].arn
  target_id        = var.instances[each.key]
}

resource "bluegreen_environment" "app" {
  for_each      = var.releases
  name          = each.key
  version       = each.value
  target_groups = { web = aws_lb_target_group.app[each.key].arn }
  backed_by     = [aws_lb_target_group_attachment.app[each.key].id]
  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [aws_lb_listener_rule.web.arn] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  strategy {
    steps = [{ percent = 5, hold = "10m" }, { percent = 50, hold = "5m" }]
    bake  = "10m"
  }

  gate {
    name = "users"
    target_metrics {
      max_error_rate = 1
    }
  }
}
