# An upgrade of Kubernetes as a release: two clusters behind one load balancer, each with a target
# group that a TargetGroupBinding fills with the Pods of its cluster.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = ">= 2.30"
    }
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "aws" {
  region = var.region
}

provider "bluegreen" {
  aws { region = var.region }
}

provider "kubernetes" {
  alias          = "blue"
  config_path    = var.kubeconfig
  config_context = var.clusters.blue.context
}

provider "kubernetes" {
  alias          = "green"
  config_path    = var.kubeconfig
  config_context = var.clusters.green.context
}

resource "aws_lb_target_group" "web" {
  for_each = var.clusters

  name_prefix = "${each.key}-"
  port        = 8080
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = var.vpc_id

  health_check {
    path = "/healthz"
  }

  lifecycle { create_before_destroy = true }
}

module "blue" {
  source    = "./cluster"
  providers = { kubernetes = kubernetes.blue }

  namespace    = var.namespace
  target_group = aws_lb_target_group.web["blue"].arn
}

module "green" {
  source    = "./cluster"
  providers = { kubernetes = kubernetes.green }

  namespace    = var.namespace
  target_group = aws_lb_target_group.web["green"].arn
}

locals {
  bindings = { blue = module.blue.binding, green = module.green.binding }
}

resource "bluegreen_environment" "web" {
  for_each = var.clusters

  name = each.key
  # The cluster is a part of the version: an upgrade is a release, and is rejected if a gate fails.
  version       = "${each.value.release}+kubernetes.${each.value.version}"
  target_groups = { web = aws_lb_target_group.web[each.key].arn }
  backed_by     = [local.bindings[each.key]]

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [var.listener_arn] }
  }

  environments = bluegreen_environment.web
  active       = var.active

  strategy {
    steps = [{ percent = 1, hold = "15m" }, { percent = 10, hold = "15m" }, { percent = 50, hold = "30m" }]
    bake  = "1h"
  }

  gate {
    name = "users"
    target_metrics {
      max_error_rate     = 1
      worse_than_live_by = 0.5
    }
  }
}
