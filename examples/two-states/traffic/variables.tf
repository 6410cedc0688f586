variable "active" {
  description = "The environment that carries the traffic."
  type        = string
  default     = "blue"
}
