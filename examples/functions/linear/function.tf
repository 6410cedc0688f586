# 20, 40, 60 and 80 percent for 5 minutes each, then 100 percent.
resource "bluegreen_switch" "web" {
  # ...
  strategy {
    steps = provider::bluegreen::linear(20, "5m")
  }
}

# With a long first step at 1 percent.
resource "bluegreen_switch" "api" {
  # ...
  strategy {
    steps = concat([{ percent = 1, hold = "30m" }], provider::bluegreen::linear(25, "5m"))
  }
}

# Every step waits for the gate "approve", and the bake does not.
locals {
  steps = provider::bluegreen::linear(20, "0s")
}

resource "bluegreen_switch" "admin" {
  # ...
  strategy {
    steps = local.steps
  }

  gate {
    name       = "approve"
    at_percent = [for s in local.steps : s.percent]
    webhook {
      url = "https://approvals.example.com/releases"
    }
  }
}
