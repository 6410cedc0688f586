variable "releases" {
  description = "Map of environment to version."
  type        = map(string)
  default     = { blue = "1.4.2", green = "1.4.2" }
}

variable "active" {
  description = "Environment that receives all invocations."
  type        = string
  default     = "blue"
}
