output "live" {
  value = bluegreen_switch.api.live
}

output "url" {
  value = module.live.url
}
