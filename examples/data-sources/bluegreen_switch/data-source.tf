data "bluegreen_switch" "web" {
  routes = { web = [aws_lb_listener.https.arn] }

  environments = {
    blue  = { target_groups = { web = aws_lb_target_group.app["blue"].arn }, version = "1.4.2" }
    green = { target_groups = { web = aws_lb_target_group.app["green"].arn }, version = "1.5.0" }
  }
}

output "live" {
  value = data.bluegreen_switch.web.live # { environment = "blue", version = "1.4.2" }
}

output "weights" {
  value = data.bluegreen_switch.web.weights # { blue = 100, green = 0 }
}

# Without environments, the names are those of the target groups.
data "bluegreen_switch" "api" {
  routes = { api = [aws_lb_listener_rule.api.arn] }
}

check "api_is_not_split" {
  assert {
    condition     = data.bluegreen_switch.api.live != null
    error_message = "The traffic of api is split: ${jsonencode(data.bluegreen_switch.api.weights)}."
  }
}
