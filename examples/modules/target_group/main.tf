# Stands in for aws_lb_target_group and an aws_lb_listener_rule that sends test traffic
# to it, whatever the weights are. The rule also puts the target group in use, so
# that its targets are health-checked before the first shift, and so that ECS
# accepts it. The output with the ARN depends on the rule.

variable "name" {
  type = string
}

variable "environment" {
  type = string
}

variable "listener_arn" {
  type = string
}

resource "terraform_data" "group" {
  input = {
    name   = "${var.name}-${var.environment}"
    record = ".localapp/group-${var.name}-${var.environment}.json"
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
  arn = jsondecode(file(terraform_data.group.output.record)).arn
}

resource "terraform_data" "test_rule" {
  input = {
    name   = "${var.name}-${var.environment}"
    record = ".localapp/rule-${var.name}-${var.environment}.json"
  }
  provisioner "local-exec" {
    command = "localapp rule create -name ${self.input.name} -listener ${var.listener_arn} -group ${local.arn} -environment ${var.environment}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp rule delete -name ${self.input.name}"
  }
}

output "arn" {
  value      = local.arn
  depends_on = [terraform_data.test_rule]
}

output "test_rule_arn" {
  description = "ARN of the rule, for test_routes of the environment."
  value       = jsondecode(file(terraform_data.test_rule.output.record)).arn
}
