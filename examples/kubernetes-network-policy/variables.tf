variable "kubeconfig" {
  description = "Path of the kubeconfig file."
  type        = string
  default     = "~/.kube/config"
}

variable "context" {
  description = "Context of the kubeconfig."
  type        = string
}

variable "namespace" {
  description = "Namespace of the application."
  type        = string
  default     = "shop"
}

variable "image" {
  description = "Image of the application, without its tag."
  type        = string
}

variable "replicas" {
  description = "Number of Pods of each environment."
  type        = number
  default     = 3
}

variable "environments" {
  description = "Map of environment to its version and to what its Pods may connect to: a name with the host, the CIDR block and the port."
  type = map(object({
    release = string
    egress  = map(object({ host = string, cidr = string, port = number }))
  }))
}

variable "closed" {
  description = "What the Pods must not reach, each as HOST:PORT."
  type        = list(string)
  default     = ["example.com:443"]
}

variable "active" {
  description = "Environment that receives all requests."
  type        = string
  default     = "blue"
}
