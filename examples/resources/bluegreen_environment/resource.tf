resource "bluegreen_environment" "app" {
  for_each = { blue = "1.4.2", green = "1.5.0" }

  name          = each.key
  version       = each.value
  target_groups = { web = aws_lb_target_group.app[each.key].arn }
  test_routes   = [aws_lb_listener_rule.test[each.key].arn] # no traffic of users
  backed_by     = [aws_autoscaling_group.app[each.key].id]  # created before, destroyed after the environment

  ready {
    min_healthy_targets = 2
    steady_for          = "60s"
    # A test rule of the listener forwards requests with this header.
    gate {
      name = "smoke"
      http {
        url         = "https://app.example.com/healthz"
        headers     = { X-Environment = each.key }
        expect_body = each.value
      }
    }
  }

  lifecycle {
    create_before_destroy = true # from the first apply on
  }
}

resource "bluegreen_switch" "web" {
  load_balancer {
    routes = { web = [aws_lb_listener.https.arn] } # needs ignore_changes = [default_action]
  }

  environments = bluegreen_environment.app
  active       = "green"
}
