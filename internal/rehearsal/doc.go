// Package rehearsal runs releases on this machine: a small web application in its own processes, a steady
// load of keep-alive clients that counts every response, and Terraform with a freshly built provider. The
// demo, the benchmarks and the end-to-end tests use it. It calls the load balancer through the AWS SDK only.
package rehearsal
