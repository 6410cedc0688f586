variable "region" {
  description = "Region of the load balancer."
  type        = string
}

variable "vpc_id" {
  description = "VPC of both clusters."
  type        = string
}

variable "listener_arn" {
  description = "Listener whose default action the switch manages. Its aws_lb_listener needs lifecycle { ignore_changes = [default_action] }."
  type        = string
}

variable "kubeconfig" {
  description = "Path of the kubeconfig file with a context for each cluster."
  type        = string
  default     = "~/.kube/config"
}

variable "clusters" {
  description = "Map of environment to its cluster: the context of the kubeconfig, the version of Kubernetes, and the version of the application."
  type = object({
    blue  = object({ context = string, version = string, release = string })
    green = object({ context = string, version = string, release = string })
  })
}

variable "namespace" {
  description = "Namespace of the application."
  type        = string
  default     = "shop"
}

variable "active" {
  description = "Environment that receives all requests."
  type        = string
  default     = "blue"
}
