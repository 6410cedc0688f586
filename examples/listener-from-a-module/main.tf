# A listener that a module has created is taken out of it, without a change in AWS, so
# that it can have ignore_changes.

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
  # listeners was { http = { port = 80, target_group_arn = aws_lb_target_group.app["blue"].arn } }
}

# With terraform-aws-modules/alb 9 the address is the same.
moved {
  from = module.alb.aws_lb_listener.this["http"]
  to   = aws_lb_listener.http
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = module.alb.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app["blue"].arn
  }

  lifecycle { ignore_changes = [default_action] }
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
    routes = { web = [aws_lb_listener.http.arn] }
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
