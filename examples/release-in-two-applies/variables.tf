variable "releases" {
  description = "Environment => the version that runs there."
  type        = map(string)
  default     = { blue = "1.4.2", green = "1.4.2" }
}

variable "active" {
  description = "The environment that carries the traffic, while there are no weights."
  type        = string
  default     = "blue"
}

variable "weights" {
  description = "Environment => percent of the traffic, for a split that stays; null: all to the active one."
  type        = map(number)
  default     = null
}
