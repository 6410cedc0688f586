// Package rehearsal is a release on this machine: a small web application that
// runs as processes of its own, a steady load of keep-alive clients that counts
// every answer, and Terraform with a freshly built provider. The demo, the
// benchmarks and the tests of whole applies are made of it. It talks to the
// balancer through the AWS SDK alone.
package rehearsal
