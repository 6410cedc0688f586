variable "active" {
  description = "Environment that receives all traffic."
  type        = string
  default     = "blue"
}

variable "leaving" {
  description = "Environments that will be removed from the state of the application. The switch detaches their target groups, so that they can be deleted."
  type        = list(string)
  default     = []
}
