# Stands in for your own module: a published version of a Lambda function, which is
# published anew when the release changes (aws_lambda_function with publish = true).

variable "name" {
  description = "Name of the function."
  type        = string
  default     = "api"
}

variable "environment" {
  type = string
}

variable "release" {
  description = "Release to run."
  type        = string
}

resource "terraform_data" "version" {
  triggers_replace = [var.release]
  input = {
    function    = var.name
    environment = var.environment
    release     = var.release
    record      = ".localapp/version-${var.name}-${var.environment}.json"
  }
  provisioner "local-exec" {
    command = "localapp function publish -function ${self.input.function} -environment ${self.input.environment} -release ${self.input.release}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp function delete -function ${self.input.function} -environment ${self.input.environment} -release ${self.input.release}"
  }
}

output "number" {
  description = "Number of the version."
  value       = jsondecode(file(terraform_data.version.output.record)).version
}

output "id" {
  description = "ID of what the environment is backed by."
  value       = terraform_data.version.id
}
