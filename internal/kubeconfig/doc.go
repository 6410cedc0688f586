// Package kubeconfig finds out how to call the API of a Kubernetes cluster: from settings, which are those of the
// provider, or by the rules of kubectl, for the command. It reads files on Load only, and calls nothing.
package kubeconfig
