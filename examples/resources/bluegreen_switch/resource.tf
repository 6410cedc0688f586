resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [aws_lb_listener.https.arn] } # needs ignore_changes = [default_action]
  }

  environments = {
    blue  = { target_groups = { web = aws_lb_target_group.app["blue"].arn }, version = "1.4.2" }
    green = { target_groups = { web = aws_lb_target_group.app["green"].arn }, version = "1.5.0" }
  }
  active = "green"

  strategy {
    steps = [
      { percent = 5, hold = "10m" },
      { percent = 50, hold = "5m" },
    ]
    bake = "10m"
  }

  gates = {
    # Before any production traffic: is it the right version? A test rule of the
    # listener matches the header.
    version = {
      http = {
        url         = "https://app.example.com/version"
        headers_env = { Authorization = "SMOKE_TEST_TOKEN" }
        headers     = { X-Environment = "green" }
        expect_body = "^1\\.5\\.0$"
      }
      when = "before"
    }
    # At every step.
    answers = {
      http = {
        url         = "https://app.example.com/healthz"
        headers     = { X-Environment = "green" }
        samples     = 5
        max_latency = "500ms"
      }
    }
  }
}
