terraform {
  required_providers {
    bluegreen = {
      source                = "bluegreen/bluegreen"
      configuration_aliases = [bluegreen.other]
    }
  }
}

variable "listener_arn" {
  type = string
}

variable "apps" {
  type = map(object({
    target_group_arn = string
    test_rule_arn    = string
    machines         = string
  }))
}

variable "environments" {
  type = map(object({
    app     = string
    version = string
    backing = list(string)
  }))
}

variable "active" {
  type = string
}

resource "bluegreen_environment" "app" {
  provider = bluegreen
  for_each = var.environments

  name          = each.key
  version       = each.value.version
  target_groups = { web = var.apps[each.value.app].target_group_arn }
  test_routes   = [var.apps[each.value.app].test_rule_arn]
  backed_by     = coalesce(each.value.backing, [var.apps[each.value.app].machines])
  drain         = "60s"

  ready {
    steady_for = "15s"
  }

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [var.listener_arn] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  strategy {
    steps  = [{ percent = 50, hold = "1m" }]
    settle = "60s"
  }

  health {
    steady_for = "15s"
  }
}
