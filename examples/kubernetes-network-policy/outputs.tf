output "live" {
  value = bluegreen_switch.web.live
}
