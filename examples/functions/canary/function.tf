# 10 percent for 15 minutes, then 100 percent.
resource "bluegreen_switch" "web" {
  # ...
  strategy {
    steps = provider::bluegreen::canary(10, "15m")
  }
}

# With a smaller first step.
resource "bluegreen_switch" "api" {
  # ...
  strategy {
    steps = var.production ? provider::bluegreen::canary(10, "15m") : []
  }
}
