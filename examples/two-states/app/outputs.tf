output "environments" {
  description = "Environments for the switch."
  value = {
    for name, e in bluegreen_environment.app : name => {
      target_groups = e.target_groups
      version       = e.version
      resource_type = e.resource_type # protected in this state, so not an inline environment
    }
  }
}

output "listener_arn" {
  value = module.balancer.listener_arn
}

output "url" {
  value = module.balancer.url
}
