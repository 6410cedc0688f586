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

variable "expand" {
  description = "The migration that this release needs. The version that is live now must be able to live with it."
  type        = string
  default     = "0041-add-name"
}

variable "contract" {
  description = "The clean-up after the release before this one: what the version that is live now does not need, and this release does not either. Null: none."
  type        = string
  default     = null
}
