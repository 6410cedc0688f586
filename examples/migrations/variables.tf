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

variable "expand" {
  description = "Migration that this release needs. It must be compatible with the live version."
  type        = string
  default     = "0041-add-name"
}

variable "contract" {
  description = "Migration that removes what neither the live version nor this release needs. Null: none."
  type        = string
  default     = null
}
