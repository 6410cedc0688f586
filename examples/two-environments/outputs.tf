output "live" {
  value = bluegreen_switch.web.live
}

output "url" {
  value = module.balancer.url
}
