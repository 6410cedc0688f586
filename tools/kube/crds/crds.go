//go:build tools

// Package crds keeps the modules in go.mod whose definitions the tests install.
package crds

import (
	_ "istio.io/api/label"
	_ "sigs.k8s.io/gateway-api/pkg/consts"
)
