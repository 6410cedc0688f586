# 10, 20, up to 90 percent for a minute each, then 100 percent.
resource "bluegreen_switch" "web" {
  # ...
  strategy {
    steps = provider::bluegreen::preset("Linear10PercentEvery1Minutes")
  }
}

# The name of a CodeDeploy deployment configuration.
resource "bluegreen_switch" "api" {
  # ...
  strategy {
    steps = provider::bluegreen::preset("CodeDeployDefault.ECSCanary10Percent5Minutes")
  }
}
