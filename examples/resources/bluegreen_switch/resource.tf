resource "bluegreen_environment" "app" {
  for_each = { blue = "1.4.2", green = "1.5.0" }

  name          = each.key
  version       = each.value
  target_groups = { web = aws_lb_target_group.app[each.key].arn }
  backed_by     = [aws_autoscaling_group.app[each.key].id]

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [aws_lb_listener.https.arn] } # needs ignore_changes = [default_action]
  }

  environments = bluegreen_environment.app
  active       = "green"

  strategy {
    steps = [
      { percent = 5, hold = "10m" },
      { percent = 50, hold = "5m" },
    ]
    bake = "10m"
  }

  # Before any production traffic: is it the right version? A test rule of the
  # listener matches the header.
  gate {
    name = "version"
    when = "before"
    http {
      url         = "https://app.example.com/version"
      headers_env = { Authorization = "SMOKE_TEST_TOKEN" }
      headers     = { X-Environment = "green" }
      expect_body = "^1\\.5\\.0$"
    }
  }

  # At every step.
  gate {
    name = "answers"
    http {
      url         = "https://app.example.com/healthz"
      headers     = { X-Environment = "green" }
      samples     = 5
      max_latency = "500ms"
    }
  }
}
