output "live" {
  value = bluegreen_switch.shop.live
}

output "urls" {
  value = { for entry, balancer in module.balancer : entry => balancer.url }
}
