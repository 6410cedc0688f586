# A live blue and an idle green whose names, versions, target groups and backing are
# variables, so that a test can change each.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

provider "bluegreen" {
  alias = "other"
}

variable "machines" {
  type    = map(string)
  default = { blue = "1", green = "1" }
}

variable "environments" {
  type = map(object({
    app     = string
    version = optional(string, "1")
    backing = optional(list(string))
  }))
  default = { blue = { app = "blue" }, green = { app = "green" } }
}

variable "active" {
  type    = string
  default = "blue"
}

module "balancer" {
  source = "../modules/balancer"
  name   = "web"
}

module "app" {
  source   = "../modules/app"
  for_each = var.machines

  environment  = each.key
  release      = each.value
  listener_arn = module.balancer.listener_arn
  size         = 1
}

module "release" {
  source = "./release"
  providers = {
    bluegreen       = bluegreen
    bluegreen.other = bluegreen.other
  }

  listener_arn = module.balancer.listener_arn
  apps         = module.app
  environments = var.environments
  active       = var.active
}

output "url" {
  value = module.balancer.url
}
