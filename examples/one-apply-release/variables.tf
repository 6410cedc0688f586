variable "releases" {
  description = "Map of environment to version, with only the environment to be live."
  type        = map(string)
  default     = { blue = "1.4.2" }
}

variable "active" {
  description = "Environment that receives all traffic."
  type        = string
  default     = "blue"
}
