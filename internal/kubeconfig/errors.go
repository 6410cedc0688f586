package kubeconfig

import (
	"errors"
	"fmt"
	"strings"
)

// What is wrong with a configuration.
var (
	// ErrNotConfigured says that nothing says which cluster to call.
	ErrNotConfigured = errors.New("no cluster is configured")
	// ErrInvalid says that a setting, or what it leads to, cannot be used.
	ErrInvalid = errors.New("invalid setting")
	// ErrNoFile says that a file does not exist.
	ErrNoFile = errors.New("no such file")
	// ErrNoEntry says that the files have no context, cluster or user of a name.
	ErrNoEntry = errors.New("no such entry")
	// ErrAmbiguous says that several files have different contexts, clusters or users of one name.
	ErrAmbiguous = errors.New("several entries of one name")
)

// Error is a configuration that cannot be used. It has no secrets.
type Error struct {
	Cause  string // a sentence that names the argument or the environment variable
	Action string // what to do, in sentences
	Err    error  // one of the above
}

// Error implements error.
func (e *Error) Error() string { return e.Cause }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// obsolete is about a kubeconfig with an auth-provider: clients lost those of clouds in Kubernetes 1.26.
func obsolete(name string) error {
	create := map[string]string{
		"gcp":   "gcloud container clusters get-credentials, with gke-gcloud-auth-plugin installed, writes such an entry",
		"azure": "kubelogin convert-kubeconfig writes such an entry",
		"oidc":  "kubectl oidc-login (kubelogin) is such a program",
	}
	action := "Use a user with exec, a program that prints credentials."
	if how := create[name]; how != "" {
		action = strings.TrimSuffix(action, ".") + ": " + how + "."
	}
	return &Error{Err: ErrInvalid, Cause: fmt.Sprintf("The user of the kubeconfig has the auth-provider %q, which is not supported.", name),
		Action: action + " Or set token or exec in the block kubernetes of the provider."}
}

// unusable is about what client-go says of a configuration.
func unusable(err error) error {
	return &Error{Err: ErrInvalid, Cause: "The Kubernetes configuration cannot be used: " + err.Error() + ".",
		Action: "Fix the kubeconfig, or the block kubernetes of the provider, that the cause is about."}
}
