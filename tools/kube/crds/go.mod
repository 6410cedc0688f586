// The custom resource definitions of the tests in internal/e2e/kube, which are files in the
// modules of their projects.
module github.com/bluegreen/terraform-provider-bluegreen/tools/kube/crds

go 1.26.1

require (
	istio.io/api v1.32.0
	sigs.k8s.io/gateway-api v1.6.3
)
