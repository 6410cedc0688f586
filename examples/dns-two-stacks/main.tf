# Two whole stacks, each behind a load balancer of its own, and one name for the users.
# The switch changes the weights of the records.

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
}

provider "bluegreen" {
  aws { region = var.region }
}

module "stack" { # stands in for your own module, such as one with a cluster
  source   = "./stack"
  for_each = var.releases

  name            = each.key
  release         = each.value
  network         = var.network
  image_id        = var.image_id
  certificate_arn = var.certificate_arn
}

resource "aws_route53_record" "app" {
  for_each       = var.releases
  zone_id        = var.zone_id
  name           = var.name
  type           = "A"
  set_identifier = each.key

  alias {
    name                   = module.stack[each.key].dns_name
    zone_id                = module.stack[each.key].dns_zone_id
    evaluate_target_health = true
  }

  weighted_routing_policy {
    weight = each.key == var.first ? 100 : 0 # of a new record: a new stack has no users
  }

  # The switch manages the weights. Without this line hashicorp/aws would reset them at
  # every apply.
  lifecycle { ignore_changes = [weighted_routing_policy] }
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name      = each.key
  version   = each.value
  records   = { web = aws_route53_record.app[each.key].set_identifier }
  backed_by = [module.stack[each.key].machines]

  # The stack is tested through its own load balancer, which has no users yet.
  ready {
    gate {
      name = "version"
      http {
        url         = "https://${module.stack[each.key].dns_name}/"
        headers     = { Host = var.name }
        server_name = var.name
        expect_body = "version ${replace(each.value, ".", "\\.")}\\b"
      }
    }
  }

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  route53 {
    routes = { web = ["${var.zone_id}/${var.name}/A"] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  # Resolvers keep an answer of an alias for 60 seconds, so no hold is shorter.
  strategy {
    steps = [
      { percent = 5, hold = "10m" },
      { percent = 25, hold = "10m" },
      { percent = 50, hold = "10m" },
    ]
    bake = "30m"
  }

  health {
    steady_for = "1m"
  }

  # What users get from the load balancer of the stack that gains traffic.
  gate {
    name     = "errors"
    interval = "1m"
    cloudwatch_metric {
      namespace  = "AWS/ApplicationELB"
      metric     = "HTTPCode_Target_5XX_Count"
      dimensions = { LoadBalancer = module.stack[var.active].arn_suffix }
      stat       = "Sum"
      max        = 5
      on_no_data = "pass" # the metric has no points without errors
    }
  }
}
