variable "listener_arn" {
  description = "The listener whose default action the switch moves."
  type        = string
}

variable "target_groups" {
  description = "The target group of each environment."
  type        = map(string)
}

variable "versions" {
  description = "What is deployed in each environment."
  type        = map(string)
}

variable "active" {
  description = "The environment that is to carry the traffic."
  type        = string
}

variable "url" {
  description = "Where the listener answers."
  type        = string
}

variable "hold" {
  description = "How long each step is watched."
  type        = string
  default     = "5m"
}

variable "settle" {
  description = "How long the balancer's nodes are given to obey before an apply ends."
  type        = string
  default     = "60s"
}

variable "steady_for" {
  description = "How long the new side must have been healthy before the first weight."
  type        = string
  default     = "15s"
}

variable "period" {
  description = "How long a point of the balancer's figures stands for: a minute, but for a local balancer."
  type        = string
  default     = "60s"
}

variable "lag" {
  description = "How long the newest of these points take to be there."
  type        = string
  default     = "60s"
}

variable "interval" {
  description = "How often it is looked whether there are new ones."
  type        = string
  default     = "10s"
}
