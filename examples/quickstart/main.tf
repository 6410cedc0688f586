# Two environments behind one listener. A release is one edit (the version of
# the idle environment and `active`) and one `terraform apply`.

terraform {
  required_providers {
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "bluegreen" {}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [var.listener_arn] }
  }

  environments = {
    for name, group in var.target_groups : name => {
      target_groups = { web = group }
      version       = var.versions[name]
    }
  }
  active = var.active

  strategy {
    steps = [
      { percent = 5, hold = var.hold },
      { percent = 50, hold = var.hold },
    ]
    bake   = var.hold
    settle = var.settle
  }

  health {
    steady_for = var.steady_for
  }

  # Before any production traffic: is it the right version? The test rule of the
  # listener matches the header.
  gate {
    name    = "version"
    when    = "before"
    timeout = "2s"
    http {
      url         = var.url
      headers     = { "X-Environment" = "{{incoming.environment}}" }
      expect_body = "version {{incoming.version}}\\b"
    }
  }

  # At every step: what do users receive, compared with the live environment?
  gate {
    name     = "users"
    interval = var.interval
    target_metrics {
      max_error_rate      = 1   # percent
      worse_than_live_by  = 0.5 # percentage points
      slow_threshold      = "500ms"
      slower_than_live_by = 1 # percentage points
      period              = var.period
      lag                 = var.lag
    }
  }
}
