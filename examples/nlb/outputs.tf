output "live" {
  value = bluegreen_switch.tcp.live
}

output "url" {
  value = module.balancer.url
}
