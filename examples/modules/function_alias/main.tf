# Stands in for aws_lambda_alias. It begins with the version of one environment, and
# ignores what the switch changes:
#
#   lifecycle { ignore_changes = [function_version, routing_config] }

variable "function" {
  description = "Name of the function."
  type        = string
  default     = "api"
}

variable "name" {
  type    = string
  default = "live"
}

variable "environment" {
  description = "Environment with the version that has all invocations until the first release."
  type        = string
}

resource "terraform_data" "alias" {
  input = {
    function = var.function
    name     = var.name
    record   = ".localapp/alias-${var.function}-${var.name}.json"
  }
  provisioner "local-exec" {
    command = "localapp alias create -function ${self.input.function} -name ${self.input.name} -environment ${var.environment}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "localapp alias delete -function ${self.input.function} -name ${self.input.name}"
  }
}

locals {
  built = jsondecode(file(terraform_data.alias.output.record))
}

output "arn" {
  value = local.built.arn
}

output "url" {
  description = "URL that invokes the alias, as a function URL does."
  value       = local.built.url
}
