variable "listener_arn" {
  description = "ARN of the listener."
  type        = string
}

variable "target_groups" {
  description = "Map of environment to the ARN of its target group."
  type        = map(string)
}

variable "versions" {
  description = "Map of environment to the deployed version."
  type        = map(string)
}

variable "active" {
  description = "Environment that receives all traffic."
  type        = string
}

variable "url" {
  description = "URL of the listener."
  type        = string
}

variable "hold" {
  description = "Minimum time at each step."
  type        = string
  default     = "5m"
}

variable "settle" {
  description = "Time to wait after the bake for all load balancer nodes to apply the weights."
  type        = string
  default     = "60s"
}

variable "steady_for" {
  description = "Time for which the targets must be healthy and unchanged before the first step."
  type        = string
  default     = "15s"
}

variable "period" {
  description = "Period of the load balancer metrics; shorter than 60s only with the local load balancer."
  type        = string
  default     = "60s"
}

variable "lag" {
  description = "Delay after which a period of the metrics counts as complete."
  type        = string
  default     = "60s"
}

variable "interval" {
  description = "Interval between two evaluations of the gate."
  type        = string
  default     = "10s"
}
