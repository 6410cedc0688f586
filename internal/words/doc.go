// Package words checks that code, docs and examples use the terms of Terraform, AWS
// and Argo Rollouts. Its test is part of make lint.
package words
