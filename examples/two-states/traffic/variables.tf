variable "active" {
  description = "The environment that carries the traffic."
  type        = string
  default     = "blue"
}

variable "leaving" {
  description = "Environments that are about to be taken out of the application's state. The switch takes their target groups off the listener, without which they cannot be deleted."
  type        = list(string)
  default     = []
}
