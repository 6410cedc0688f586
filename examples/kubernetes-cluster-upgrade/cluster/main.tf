# What a cluster needs so that a load balancer outside of it sends requests to its Pods. The AWS
# Load Balancer Controller registers the Pods of the Service in the target group.

terraform {
  required_providers {
    kubernetes = {
      source = "hashicorp/kubernetes"
    }
  }
}

variable "namespace" {
  description = "Namespace of the application."
  type        = string
}

variable "target_group" {
  description = "ARN of the target group."
  type        = string
}

resource "kubernetes_manifest" "binding" {
  manifest = {
    apiVersion = "elbv2.k8s.aws/v1beta1"
    kind       = "TargetGroupBinding"
    metadata = {
      namespace = var.namespace
      name      = "web"
    }
    spec = {
      targetGroupARN = var.target_group
      targetType     = "ip"
      serviceRef     = { name = "web", port = 8080 }
    }
  }
}

output "binding" {
  description = "The TargetGroupBinding, for backed_by."
  value       = kubernetes_manifest.binding.object.metadata.uid
}
