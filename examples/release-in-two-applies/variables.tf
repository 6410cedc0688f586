variable "releases" {
  description = "Map of environment to version."
  type        = map(string)
  default     = { blue = "1.4.2", green = "1.4.2" }
}

variable "active" {
  description = "Environment that receives all traffic. Null if weights are set."
  type        = string
  default     = "blue"
}

variable "weights" {
  description = "Map of environment to its share of the traffic in percent, for a lasting split. Null: all traffic to the active environment."
  type        = map(number)
  default     = null
}
