# Blue and green are two Deployments in an Istio mesh, and a VirtualService divides the requests
# between their Services.

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
  for_each = var.releases

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

resource "kubernetes_manifest" "route" {
  manifest = {
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata = {
      namespace = var.namespace
      name      = "web"
    }
    spec = {
      hosts    = [var.hostname]
      gateways = [var.gateway]
      http = [{
        name = "primary"
        route = [{
          destination = { host = "web-blue", port = { number = 8080 } }
          weight      = 100 # at the first apply
        }]
      }]
    }
  }

  # The switch manages the weights and its record. Without this, hashicorp/kubernetes would
  # reset them at every apply.
  computed_fields = ["metadata.annotations", "metadata.labels", "spec.http"]

  depends_on = [kubernetes_service_v1.web]
}

resource "bluegreen_environment" "web" {
  for_each = var.releases

  name      = each.key
  version   = each.value
  services  = { web = "${kubernetes_service_v1.web[each.key].metadata[0].name}:8080" }
  backed_by = [kubernetes_deployment_v1.web[each.key].id]

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  kubernetes {
    routes = { web = ["virtualservice/${var.namespace}/${kubernetes_manifest.route.manifest.metadata.name}#primary"] }
  }

  environments = bluegreen_environment.web
  active       = var.active

  strategy {
    steps  = [{ percent = 5, hold = "10m" }, { percent = 50, hold = "5m" }]
    bake   = "10m"
    settle = "30s" # istiod distributes a route to the proxies within seconds
  }

  gate {
    name          = "errors"
    interval      = "30s"
    initial_delay = "1m"
    prometheus {
      url   = var.prometheus
      query = <<-EOT
        sum(rate(istio_requests_total{reporter="source", destination_service_namespace="${var.namespace}", destination_service_name="web-{{incoming.environment}}", response_code=~"5.."}[1m])) or vector(0)
        / sum(rate(istio_requests_total{reporter="source", destination_service_namespace="${var.namespace}", destination_service_name="web-{{incoming.environment}}"}[1m]))
      EOT
      max   = 0.01
    }
  }
}
