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

variable "releases" {
  description = "Map of environment to version."
  type        = map(string)
  default     = { blue = "1.4.2", green = "1.4.2" }
}

variable "active" {
  description = "Environment that receives all requests."
  type        = string
  default     = "blue"
}

variable "gateway" {
  description = "Istio Gateway of the VirtualService, as NAMESPACE/NAME."
  type        = string
}

variable "hostname" {
  description = "Host name of the application."
  type        = string
}

variable "prometheus" {
  description = "URL of the Prometheus server that scrapes the mesh."
  type        = string
}
