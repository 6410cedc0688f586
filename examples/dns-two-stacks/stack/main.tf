# A whole stack: a load balancer with its listener, and machines. Replace it by your own
# module, such as one with an EKS cluster and its load balancer.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "name" {
  description = "Name of the stack."
  type        = string
}

variable "release" {
  description = "Version that the machines run."
  type        = string
}

variable "network" {
  description = "VPC, subnets of the load balancer, and subnets of the machines."
  type = object({
    vpc_id          = string
    public_subnets  = list(string)
    private_subnets = list(string)
  })
}

variable "image_id" {
  description = "AMI of the machines."
  type        = string
}

variable "certificate_arn" {
  description = "Certificate of the name that users resolve."
  type        = string
}

variable "egress" {
  description = "Map of dependency to what the machines may connect to."
  type        = map(object({ port = number, cidr = string }))
  default     = { anything = { port = -1, cidr = "0.0.0.0/0" } }
}

variable "instances" {
  description = "Number of machines."
  type        = number
  default     = 2
}

resource "aws_security_group" "balancer" {
  name_prefix = "${var.name}-balancer-"
  vpc_id      = var.network.vpc_id
  ingress {
    from_port   = 443
    to_port     = 443
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

resource "aws_security_group" "machines" {
  name_prefix = "${var.name}-machines-"
  vpc_id      = var.network.vpc_id
  lifecycle { create_before_destroy = true }
}

resource "aws_vpc_security_group_ingress_rule" "machines" {
  security_group_id            = aws_security_group.machines.id
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80
}

resource "aws_vpc_security_group_egress_rule" "machines" {
  for_each          = var.egress
  security_group_id = aws_security_group.machines.id
  description       = each.key
  cidr_ipv4         = each.value.cidr
  ip_protocol       = each.value.port < 0 ? "-1" : "tcp"
  from_port         = each.value.port < 0 ? null : each.value.port
  to_port           = each.value.port < 0 ? null : each.value.port
}

resource "aws_lb" "app" {
  name_prefix        = substr("${var.name}-", 0, 6)
  load_balancer_type = "application"
  subnets            = var.network.public_subnets
  security_groups    = [aws_security_group.balancer.id]
}

resource "aws_lb_target_group" "app" {
  name_prefix = substr("${var.name}-", 0, 6)
  port        = 80
  protocol    = "HTTP"
  vpc_id      = var.network.vpc_id
  health_check {
    path     = "/healthz"
    interval = 10
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.app.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app.arn
  }
}

resource "aws_launch_template" "app" {
  name_prefix            = "${var.name}-"
  image_id               = var.image_id
  instance_type          = "t3.small"
  vpc_security_group_ids = [aws_security_group.machines.id]
  user_data              = base64encode("#!/bin/sh\nexec start-app --version ${var.release}\n")
}

resource "aws_autoscaling_group" "app" {
  name_prefix               = "${var.name}-"
  min_size                  = var.instances
  max_size                  = var.instances
  vpc_zone_identifier       = var.network.private_subnets
  target_group_arns         = [aws_lb_target_group.app.arn]
  health_check_type         = "ELB"
  wait_for_elb_capacity     = var.instances
  wait_for_capacity_timeout = "15m"
  launch_template {
    id      = aws_launch_template.app.id
    version = aws_launch_template.app.latest_version
  }
  instance_refresh { strategy = "Rolling" }
  depends_on = [aws_lb_listener.https, aws_vpc_security_group_egress_rule.machines, aws_vpc_security_group_ingress_rule.machines]
}

output "dns_name" {
  value = aws_lb.app.dns_name
}

output "dns_zone_id" {
  value = aws_lb.app.zone_id
}

output "arn_suffix" {
  value = aws_lb.app.arn_suffix
}

output "machines" {
  value = aws_autoscaling_group.app.id
}
