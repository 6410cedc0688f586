# 10, 20, up to 90 percent, a minute each; then all of it.
resource "bluegreen_switch" "web" {
  # ...
  strategy {
    steps = provider::bluegreen::preset("Linear10PercentEvery1Minutes")
  }
}

# The name that a deployment group of CodeDeploy had.
resource "bluegreen_switch" "api" {
  # ...
  strategy {
    steps = provider::bluegreen::preset("CodeDeployDefault.ECSCanary10Percent5Minutes")
  }
}
