variable "releases" {
  description = "Map of stack to version. Do not use the name of an earlier stack again."
  type        = map(string)
  default     = { k130 = "1.4.2" }
}

variable "first" {
  description = "Stack of the first apply, whose record is created with all the traffic. Never change it."
  type        = string
  default     = "k130"
}

variable "active" {
  description = "Stack that receives all traffic."
  type        = string
  default     = "k130"
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
