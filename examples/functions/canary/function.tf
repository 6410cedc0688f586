# 10 percent for a quarter of an hour; then all of it.
resource "bluegreen_switch" "web" {
  # ...
  strategy {
    steps = provider::bluegreen::canary(10, "15m")
  }
}

# Slowly where it counts.
resource "bluegreen_switch" "api" {
  # ...
  strategy {
    steps = var.production ? provider::bluegreen::canary(10, "15m") : []
  }
}
