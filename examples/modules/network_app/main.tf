# Stands in for your own module: a TCP target group, and the machines, which are
# replaced when the version changes.

variable "name" {
  type    = string
  default = "app"
}

variable "environment" {
  type = string
}

variable "release" {
  description = "Version to run."
  type        = string
}

resource "terraform_data" "group" { # aws_lb_target_group
  input = {
    name   = "${var.name}-${var.environment}"
    record = ".localapp/group-${var.name}-${var.environment}.json"
  }
  provisioner "local-exec" {
    command = "localapp group create -name ${self.input.name} -protocol TCP"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp group delete -name ${self.input.name}"
  }
}

locals {
  arn = jsondecode(file(terraform_data.group.output.record)).arn
}

resource "terraform_data" "machines" { # aws_autoscaling_group
  triggers_replace = [var.release]
  input = {
    name    = "${var.name}-${var.environment}"
    version = var.release
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -count 2 -group ${local.arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
}

output "target_group_arn" {
  value = local.arn
}

output "machines" {
  description = "ID of the machines behind the target group."
  value       = terraform_data.machines.id
}
