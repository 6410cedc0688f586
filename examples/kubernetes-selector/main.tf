# Blue and green are two Deployments, and the selector of one Service decides which of them has
# all requests.

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
  for_each = var.releases

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
  metadata {
    namespace = var.namespace
    name      = "web"
  }

  spec {
    selector = { app = "web", color = "blue" } # at the first apply
    port {
      name = "http"
      port = 8080
    }
  }

  # The switch manages the selector and its record.
  lifecycle { ignore_changes = [spec[0].selector, metadata[0].annotations] }
}

resource "bluegreen_environment" "web" {
  for_each = var.releases

  name      = each.key
  version   = each.value
  selectors = { web = { app = "web", color = each.key } }
  backed_by = [kubernetes_deployment_v1.web[each.key].id]

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    routes = { web = ["service/${var.namespace}/${kubernetes_service_v1.web.metadata[0].name}"] }
  }

  environments = bluegreen_environment.web
  active       = var.active

  # A selector has no weights: all requests move at once, and the bake follows.
  strategy {
    bake   = "10m"
    settle = "30s"
  }

  # Before any users: a smoke test of the idle Pods.
  gate {
    name    = "smoke"
    when    = "before"
    timeout = "2m"
    command {
      argv        = ["./smoke-test.sh"]
      working_dir = path.module
      env = {
        CONTEXT   = var.context
        NAMESPACE = var.namespace
        TARGET    = "deployment/web-${var.active}"
      }
    }
  }
}
