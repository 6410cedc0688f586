# The stack of HashiCorp's tutorial on blue-green deployments (a VPC, a load
# balancer, instances that serve a page with their version) with this provider. The
# five applies of the tutorial (create green, 10 %, 50 %, 100 %, remove blue) are one
# edit and one apply.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    bluegreen = {
      source = "bluegreen/bluegreen"
    }
  }
}

provider "aws" {
  region = var.region
  ignore_tags {
    key_prefixes = ["bluegreen:"] # of a running shift
  }
}

provider "bluegreen" {} # the region of each call comes from the ARN

# --- shared resources ---

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_ami" "amazon_linux" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["al2023-ami-2023.*-x86_64"]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  count                   = 2
  vpc_id                  = aws_vpc.this.id
  cidr_block              = cidrsubnet(aws_vpc.this.cidr_block, 8, count.index)
  availability_zone       = data.aws_availability_zones.here.names[count.index]
  map_public_ip_on_launch = true
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "public" {
  count          = length(aws_subnet.public)
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_security_group" "lb" {
  name_prefix = "bluegreen-lb-"
  vpc_id      = aws_vpc.this.id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_security_group" "app" {
  name_prefix = "bluegreen-app-"
  vpc_id      = aws_vpc.this.id
  ingress {
    from_port       = 80
    to_port         = 80
    protocol        = "tcp"
    security_groups = [aws_security_group.lb.id]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_lb" "app" {
  name_prefix        = "app-"
  load_balancer_type = "application"
  subnets            = aws_subnet.public[*].id
  security_groups    = [aws_security_group.lb.id]
}

resource "aws_lb_listener" "app" {
  load_balancer_arn = aws_lb.app.arn
  port              = 80
  protocol          = "HTTP"

  default_action { # replaced by the switch at the first apply
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "503"
    }
  }

  # The switch manages the default action. Without this line hashicorp/aws would
  # reset it at every apply.
  lifecycle { ignore_changes = [default_action] }
}

# --- resources of each environment ---

resource "aws_lb_target_group" "app" {
  for_each             = var.releases
  name_prefix          = "app-"
  port                 = 80
  protocol             = "HTTP"
  vpc_id               = aws_vpc.this.id
  deregistration_delay = 60
  health_check {
    path     = "/"
    interval = 10
  }
  lifecycle { create_before_destroy = true }
}

# Test traffic. Created before the instances, it puts the target group in use, so that
# its targets are health-checked before the first shift.
resource "aws_lb_listener_rule" "test" {
  for_each     = var.releases
  listener_arn = aws_lb_listener.app.arn
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app[each.key].arn
  }
  condition {
    http_header {
      http_header_name = "X-Environment"
      values           = [each.key]
    }
  }
  condition {
    source_ip {
      values = var.testers
    }
  }
}

locals {
  instances = merge([
    for name, version in var.releases : {
      for n in range(var.instances) : "${name}-${n}" => { environment = name, version = version, subnet = n % 2 }
    }
  ]...)
}

resource "aws_instance" "app" {
  for_each                    = local.instances
  ami                         = data.aws_ami.amazon_linux.id
  instance_type               = "t3.micro"
  subnet_id                   = aws_subnet.public[each.value.subnet].id
  vpc_security_group_ids      = [aws_security_group.app.id]
  user_data_replace_on_change = true
  user_data = templatefile("${path.module}/init-script.sh", {
    environment = each.value.environment
    version     = each.value.version
  })
  tags = { Name = "${each.key}-${each.value.version}" }
  # A newer image may replace an idle instance, but never a live one.
  lifecycle { ignore_changes = [ami] }
}

resource "aws_lb_target_group_attachment" "app" {
  for_each         = local.instances
  target_group_arn = aws_lb_target_group.app[each.value.environment].arn
  target_id        = aws_instance.app[each.key].id
  port             = 80
  depends_on       = [aws_lb_listener_rule.test]
}

# --- the release ---

resource "bluegreen_environment" "app" {
  for_each = var.releases

  name          = each.key
  version       = each.value
  target_groups = { web = aws_lb_target_group.app[each.key].arn }
  test_routes   = [aws_lb_listener_rule.test[each.key].arn]
  backed_by     = [for key, i in local.instances : aws_lb_target_group_attachment.app[key].id if i.environment == each.key]

  ready {
    min_healthy_targets = var.instances
    steady_for          = "60s"
    gate {
      name = "version"
      http {
        url         = "http://${aws_lb.app.dns_name}/"
        headers     = { "X-Environment" = each.key }
        expect_body = "version ${replace(each.value, ".", "\\.")}\\b"
      }
    }
  }

  lifecycle { create_before_destroy = true }
}

resource "bluegreen_switch" "app" {
  load_balancer {
    routes = { web = [aws_lb_listener.app.arn] }
  }

  environments = bluegreen_environment.app
  active       = var.active

  strategy {
    steps = [
      { percent = 10, hold = "5m" },
      { percent = 50, hold = "5m" },
    ]
    bake   = "10m"
    settle = "60s"
  }

  gate {
    name = "answers"
    http {
      url     = "http://${aws_lb.app.dns_name}/"
      headers = { "X-Environment" = var.active }
      samples = 5
    }
  }
}
