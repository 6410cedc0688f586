# Stands in for your own module: a target group, its test rule, and the machines, which
# are replaced when the version changes.

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

variable "listener_arn" {
  description = "ARN of the listener for test traffic."
  type        = string
}

variable "size" {
  description = "Number of machines."
  type        = number
  default     = 2
}

module "target_group" {
  source       = "../target_group"
  name         = var.name
  environment  = var.environment
  listener_arn = var.listener_arn
}

resource "terraform_data" "machines" { # aws_autoscaling_group
  triggers_replace = [var.release, var.size]
  input = {
    name    = "${var.name}-${var.environment}"
    version = var.release
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -count ${var.size} -group ${module.target_group.arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
}

output "target_group_arn" {
  value = module.target_group.arn
}

output "test_rule_arn" {
  description = "ARN of the test rule, for test_routes of the environment."
  value       = module.target_group.test_rule_arn
}

output "machines" {
  description = "ID of the machines behind the target group."
  value       = terraform_data.machines.id
}
