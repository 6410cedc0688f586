variable "stacks" {
  description = "Map of environment to its version, the number of its network, and what its machines may connect to."
  type = map(object({
    release = string
    network = number
    egress  = map(object({ port = number, cidr = string }))
  }))
  default = {
    blue = {
      release = "1.4.2"
      network = 1
      egress  = { anything = { port = -1, cidr = "0.0.0.0/0" } }
    }
    green = {
      release = "1.4.2"
      network = 2
      egress = {
        database = { port = 5432, cidr = "10.0.20.0/24" }
        queue    = { port = 5671, cidr = "10.0.30.0/24" }
        payments = { port = 443, cidr = "203.0.113.0/24" }
      }
    }
  }
}

variable "active" {
  description = "Environment that receives all traffic."
  type        = string
  default     = "blue"
}

variable "region" {
  description = "AWS Region."
  type        = string
}

variable "zone_id" {
  description = "ID of the hosted zone, such as Z0123456789ABC."
  type        = string
}

variable "name" {
  description = "Name that users resolve, in lower case and without a trailing dot."
  type        = string
}

variable "network" {
  description = "VPC, subnets of the load balancers, and subnets of the machines."
  type = object({
    vpc_id          = string
    public_subnets  = list(string)
    private_subnets = list(string)
  })
}

variable "image_id" {
  description = "AMI of the machines."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of the name that users resolve."
  type        = string
}
