# A change of a NetworkPolicy as a release: the idle environment gets the new policy, a command
# tests it from inside its Pods, and then the users follow.

terraform {
  required_providers {
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.30"
    }
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "kubernetes" {
  config_path    = var.kubeconfig
  config_context = var.context
}

provider "bluegreen" {
  kubernetes {
    config_path    = var.kubeconfig
    config_context = var.context
  }
}

resource "kubernetes_deployment_v1" "web" {
  for_each = local.releases

  metadata {
    namespace = var.namespace
    name      = "web-${each.key}"
  }

  spec {
    replicas = var.replicas
    selector {
      match_labels = { app = "web", color = each.key }
    }
    template {
      metadata {
        labels = { app = "web", color = each.key, version = each.value }
      }
      spec {
        container {
          name  = "web"
          image = "${var.image}:${each.value}"
          port {
            container_port = 8080
          }
          readiness_probe {
            http_get {
              path = "/healthz"
              port = 8080
            }
          }
        }
      }
    }
  }
}

resource "kubernetes_service_v1" "web" {
  for_each = local.releases

  metadata {
    namespace = var.namespace
    name      = "web-${each.key}"
  }

  spec {
    selector = { app = "web", color = each.key }
    port {
      name = "http"
      port = 8080
    }
  }
}

# Each environment has a policy of its own: the new one applies to the idle Pods only.
resource "kubernetes_network_policy_v1" "web" {
  for_each = var.environments

  metadata {
    namespace = var.namespace
    name      = "web-${each.key}"
  }

  spec {
    pod_selector {
      match_labels = { app = "web", color = each.key }
    }
    policy_types = ["Egress"]

    egress { # DNS
      ports {
        protocol = "UDP"
        port     = 53
      }
    }
    dynamic "egress" {
      for_each = each.value.egress
      content {
        to {
          ip_block {
            cidr = egress.value.cidr
          }
        }
        ports {
          protocol = "TCP"
          port     = egress.value.port
        }
      }
    }
  }
}

locals {
  releases = { for name, e in var.environments : name => e.release }
}

resource "bluegreen_environment" "web" {
  for_each = var.environments

  name = each.key
  # A changed policy is another version: it is protected while it has users, and rejected if a
  # gate fails.
  version   = "${each.value.release}+network.${substr(sha256(jsonencode(each.value.egress)), 0, 8)}"
  services  = { web = "${kubernetes_service_v1.web[each.key].metadata[0].name}:8080" }
  backed_by = [kubernetes_deployment_v1.web[each.key].id, kubernetes_network_policy_v1.web[each.key].id]

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    routes = { web = ["httproute/${var.namespace}/web"] }
  }

  environments = bluegreen_environment.web
  active       = var.active

  strategy {
    steps  = [{ percent = 5, hold = "10m" }, { percent = 50, hold = "10m" }]
    bake   = "30m"
    settle = "30s"
  }

  # Before any users: do the Pods reach what they need, and nothing else?
  gate {
    name    = "network"
    when    = "before"
    timeout = "2m"
    command {
      argv        = ["./test-network.sh"]
      working_dir = path.module
      env = {
        CONTEXT   = var.context
        NAMESPACE = var.namespace
        TARGET    = "deployment/web-${var.active}"
        OPEN      = join(" ", [for e in values(var.environments[var.active].egress) : "${e.host}:${e.port}"])
        CLOSED    = join(" ", var.closed)
      }
    }
  }
}
