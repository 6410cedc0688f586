variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "releases" {
  description = "Map of environment to version. An environment that is removed is drained and destroyed after the shift."
  type        = map(string)
  default     = { blue = "1.0" }
}

variable "active" {
  description = "Environment that receives all traffic."
  type        = string
  default     = "blue"
}

variable "instances" {
  description = "Number of instances in each environment."
  type        = number
  default     = 2
}

variable "testers" {
  description = "Source CIDR ranges of test traffic, such as the public IP of the machine that runs Terraform."
  type        = list(string)
}
