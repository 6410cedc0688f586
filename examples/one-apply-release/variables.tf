variable "releases" {
  description = "Environment => the version that runs there: the one that is to be live, and no other."
  type        = map(string)
  default     = { blue = "1.4.2" }
}

variable "active" {
  description = "The environment that carries the traffic."
  type        = string
  default     = "blue"
}
