output "live" {
  value = bluegreen_switch.web.live
}

output "last_shift" {
  value = bluegreen_switch.web.last_shift
}
