# Only machines, registered in a target group of another module.

variable "environment" {
  type = string
}

variable "release" {
  type = string
}

variable "target_group_arn" {
  type = string
}

resource "terraform_data" "machines" {
  triggers_replace = [var.release]
  input = {
    name    = "app-${var.environment}"
    version = var.release
  }
  provisioner "local-exec" {
    command = "localapp machine start -name ${self.input.name} -version ${self.input.version} -group ${var.target_group_arn}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp machine stop -name ${self.input.name} -version ${self.input.version}"
  }
}

output "id" {
  value = terraform_data.machines.id
}
