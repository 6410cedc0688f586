# Stands in for the module that creates your load balancer, such as
# terraform-aws-modules/alb: its listeners cannot be given ignore_changes.

variable "name" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "listeners" {
  description = "Map of listener to its port and the target group that it forwards to, or null for a fixed response."
  type        = map(object({ port = number, target_group_arn = optional(string) }))
  default     = {}
}

resource "aws_lb" "this" {
  name               = var.name
  load_balancer_type = "application"
  subnets            = var.subnets
}

resource "aws_lb_listener" "this" {
  for_each          = var.listeners
  load_balancer_arn = aws_lb.this.arn
  port              = each.value.port
  protocol          = "HTTP"

  default_action {
    type             = each.value.target_group_arn == null ? "fixed-response" : "forward"
    target_group_arn = each.value.target_group_arn
    dynamic "fixed_response" {
      for_each = each.value.target_group_arn == null ? [1] : []
      content {
        content_type = "text/plain"
        status_code  = "404"
      }
    }
  }
}

output "arn" {
  value = aws_lb.this.arn
}

output "listener_arns" {
  value = { for name, listener in aws_lb_listener.this : name => listener.arn }
}
