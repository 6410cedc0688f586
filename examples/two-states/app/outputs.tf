output "environments" {
  description = "What the switch has to know of each environment."
  value = {
    for name, e in bluegreen_environment.app : name => {
      target_groups = e.target_groups
      version       = e.version
    }
  }
}

output "listener_arn" {
  value = module.balancer.listener_arn
}

output "url" {
  value = module.balancer.url
}
