# Everything in the root module, with for_each.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

variable "releases" {
  type    = map(string)
  default = { blue = "1", green = "1" }
}

variable "active" {
  type    = string
  default = "blue"
}

module "balancer" {
  source = "../modules/balancer"
  name   = "web"
}

resource "terraform_data" "group" {
  for_each = var.releases
  input = {
    name   = "app-${each.key}"
    record = ".localapp/group-app-${each.key}.json"
  }
  provisioner "local-exec" {
    command = "localapp group create -name ${self.input.name}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp group delete -name ${self.input.name}"
  }
}

locals {
  groups = { for name in keys(var.releases) : name => jsondecode(file(terraform_data.group[name].output.record)).arn }
}

resource "terraform_data" "test_rule" {
  for_each = var.releases
  input = {
    name   = "app-${each.key}"
    record = ".localapp/rule-app-${each.key}.json"
  }
  provisioner "local-exec" {
    command = "localapp rule create -name ${self.input.name} -listener ${module.balancer.listener_arn} -group ${local.groups[each.key]} -environment ${each.key}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp rule delete -name ${self.input.name}"
  }
}

resource "terraform_data" "machines" {
  for_each         = var.releases
  triggers_replace = [each.value]
  input = {
    name    = "app-${each.key}"
    version = each.value
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -group ${local.groups[each.key]}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
  depends_on = [terraform_data.test_rule]
}

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = local.groups[each.key] }
  test_routes   = [jsondecode(file(terraform_data.test_rule[each.key].output.record)).arn]
  backed_by     = [terraform_data.machines[each.key].id]
  drain         = "60s"

  ready {
    steady_for = "15s"
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
    steps  = [{ percent = 50, hold = "1m" }]
    settle = "60s"
  }

  health {
    steady_for = "15s"
  }
}

output "url" {
  value = module.balancer.url
}

