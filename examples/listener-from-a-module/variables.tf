variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "vpc" {
  description = "ID of the VPC."
  type        = string
}

variable "subnets" {
  description = "IDs of the subnets of the load balancer."
  type        = list(string)
}

variable "instances" {
  description = "Map of environment to the ID of its instance."
  type        = map(string)
}

variable "port" {
  description = "Port of the application on the instances."
  type        = number
  default     = 80
}

variable "releases" {
  description = "Map of environment to version."
  type        = map(string)
  default     = { blue = "1.0", green = "1.1" }
}

variable "active" {
  description = "Environment that receives all traffic: the one that has it, until the first release."
  type        = string
  default     = "blue"
}
