variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "releases" {
  description = "Environment => the version that runs there. Leave one out, and it is drained and destroyed once the traffic is gone."
  type        = map(string)
  default     = { blue = "1.0" }
}

variable "active" {
  description = "The environment that carries the traffic."
  type        = string
  default     = "blue"
}

variable "instances" {
  description = "How many instances each environment has."
  type        = number
  default     = 2
}

variable "testers" {
  description = "Where test traffic may come from: the machine that runs Terraform, as seen by the load balancer. Not the whole Internet."
  type        = list(string)
}
