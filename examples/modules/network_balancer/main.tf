# Stands in for aws_lb of type "network" and aws_lb_listener. A listener of a Network
# Load Balancer must forward, so it begins with one target group, and ignores changes
# of its default action:
#
#   default_action {
#     type             = "forward"
#     target_group_arn = var.target_group_arn
#   }
#   lifecycle { ignore_changes = [default_action] }

variable "name" {
  type = string
}

variable "port" {
  type    = number
  default = 8443
}

variable "target_group_arn" {
  description = "ARN of the target group that has the connections until the first release."
  type        = string
}

resource "terraform_data" "balancer" {
  input = {
    name   = var.name
    record = ".localapp/balancer-${var.name}.json"
  }
  provisioner "local-exec" {
    command = "localapp network create -name ${self.input.name} -port ${var.port} -group ${var.target_group_arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp balancer delete -name ${self.input.name}"
  }
}

locals {
  built = jsondecode(file(terraform_data.balancer.output.record))
}

output "listener_arn" {
  value = local.built.listener_arn
}

output "url" {
  value = local.built.url
}
