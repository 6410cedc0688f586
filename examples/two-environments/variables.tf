variable "releases" {
  description = "Environment => the version that runs there."
  type        = map(string)
  default     = { blue = "1.4.2", green = "1.4.2" }
}

variable "active" {
  description = "The environment that carries the traffic."
  type        = string
  default     = "blue"
}
