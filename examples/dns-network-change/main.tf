# A change of security groups as a release: the idle stack gets the new network, a command
# tests it from inside, and DNS shifts the users.

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

module "stack" {
  source   = "../dns-two-stacks/stack"
  for_each = var.stacks

  name            = each.key
  release         = each.value.release
  network         = var.network
  egress          = each.value.egress
  image_id        = var.image_id
  certificate_arn = var.certificate_arn
}

resource "aws_route53_record" "app" {
  for_each       = var.stacks
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
    weight = each.key == "blue" ? 100 : 0 # at the first apply
  }

  # The switch manages the weights. Without this line hashicorp/aws would reset them at
  # every apply.
  lifecycle { ignore_changes = [weighted_routing_policy] }
}

resource "bluegreen_environment" "app" {
  for_each = var.stacks

  name = each.key
  # A changed network is another version: it is protected while it has users, and
  # rejected if a gate fails.
  version   = "${each.value.release}+network.${each.value.network}"
  records   = { web = aws_route53_record.app[each.key].set_identifier }
  backed_by = [module.stack[each.key].machines]

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
      { percent = 50, hold = "10m" },
    ]
    bake = "30m"
  }

  health {
    steady_for = "1m"
  }

  # Before any users: does the application reach what it needs, and nothing else?
  gate {
    name    = "network"
    when    = "before"
    timeout = "2m"
    command {
      argv        = ["./test-network.sh"]
      working_dir = path.module
      env = {
        ADDRESS = module.stack[var.active].dns_name
        NAME    = var.name
        OPEN    = join(" ", [for name in keys(var.stacks[var.active].egress) : name if name != "anything"])
        CLOSED  = contains(keys(var.stacks[var.active].egress), "anything") ? "" : "internet"
      }
    }
  }

  # With users: paths that the test does not know.
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
