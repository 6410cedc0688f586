# Stands in for aws_lb and aws_lb_listener. The listener responds with 503 until the
# first apply of the switch, and ignores changes of its default action:
#
#   default_action {
#     type = "fixed-response"
#     fixed_response {
#       content_type = "text/plain"
#       status_code  = "503"
#     }
#   }
#   lifecycle { ignore_changes = [default_action] }

variable "name" {
  type = string
}

variable "port" {
  type    = number
  default = 8080
}

resource "terraform_data" "balancer" {
  input = {
    name   = var.name
    record = ".localapp/balancer-${var.name}.json"
  }
  provisioner "local-exec" {
    command = "localapp balancer create -name ${self.input.name} -port ${var.port}"
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
