# The layout of HashiCorp's tutorial: a target group for each environment, machines that a
# feature toggle enables, and the environments listed in the switch.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

variable "enable_blue_env" {
  type    = bool
  default = false
}

variable "enable_green_env" {
  type    = bool
  default = true
}

variable "active" {
  type    = string
  default = "green"
}

module "balancer" {
  source = "../modules/balancer"
  name   = "web"
}

module "blue" {
  source       = "../modules/target_group"
  name         = "app"
  environment  = "blue"
  listener_arn = module.balancer.listener_arn
}

resource "terraform_data" "blue" {
  count = var.enable_blue_env ? 1 : 0

  input = {
    name    = "app-blue"
    version = "1"
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -group ${module.blue.arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
}

module "green" {
  source       = "../modules/target_group"
  name         = "app"
  environment  = "green"
  listener_arn = module.balancer.listener_arn
}

resource "terraform_data" "green" {
  count = var.enable_green_env ? 1 : 0

  input = {
    name    = "app-green"
    version = "2"
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -group ${module.green.arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
}

locals {
  environments = {
    blue  = { target_groups = { web = module.blue.arn }, version = "1", backed_by = terraform_data.blue[*].id }
    green = { target_groups = { web = module.green.arn }, version = "2", backed_by = terraform_data.green[*].id }
  }
  enabled = { blue = var.enable_blue_env, green = var.enable_green_env }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [module.balancer.listener_arn] }
  }

  environments = { for name, e in local.environments : name => e if local.enabled[name] }
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
