output "url" {
  value = "http://${aws_lb.app.dns_name}/"
}

output "live" {
  value = bluegreen_switch.app.live
}
