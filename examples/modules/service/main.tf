# Stands in for aws_ecs_service with wait_for_steady_state = true. Like ECS, it cannot
# be created while its target group is in no listener and no rule.

variable "name" {
  type = string
}

variable "release" {
  description = "Version to run; on ECS the task definition."
  type        = string
}

variable "target_group_arn" {
  type = string
}

resource "terraform_data" "service" {
  triggers_replace = [var.release]
  input = {
    name    = var.name
    version = var.release
  }
  provisioner "local-exec" {
    command = "localapp service put -name ${self.input.name} -version ${self.input.version} -count 2 -group ${var.target_group_arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp service delete -name ${self.input.name} -version ${self.input.version}"
  }
}

output "id" {
  value = terraform_data.service.id
}
