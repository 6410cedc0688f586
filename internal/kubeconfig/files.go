package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// file is a kubeconfig.
type file struct {
	path   string
	config *api.Config
}

// files reads and merges the kubeconfig files. It returns the name of the context; empty: there is none.
func (s Settings) files() (*api.Config, string, error) {
	var files []file
	for _, path := range s.Paths {
		config, err := clientcmd.LoadFromFile(expanded(path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, "", &Error{Err: ErrNoFile, Cause: fmt.Sprintf("The kubeconfig %s of %s does not exist.", path, s.pathsName()),
				Action: "Check the path, or create the file, for example with aws eks update-kubeconfig."}
		case err != nil:
			return nil, "", &Error{Err: ErrInvalid, Cause: fmt.Sprintf("The kubeconfig %s of %s cannot be read: %s.", path, s.pathsName(), err),
				Action: "Fix the file, or set another path. kubectl --kubeconfig PATH config view shows what is wrong with it."}
		}
		if err := clientcmd.ResolveLocalPaths(config); err != nil {
			return nil, "", unusable(err)
		}
		files = append(files, file{path, config})
	}
	context := s.Context
	merged := api.NewConfig()
	for _, f := range slices.Backward(files) { // the first file has precedence
		maps.Copy(merged.Contexts, f.config.Contexts)
		maps.Copy(merged.Clusters, f.config.Clusters)
		maps.Copy(merged.AuthInfos, f.config.AuthInfos)
		if s.Context == "" && f.config.CurrentContext != "" {
			context = f.config.CurrentContext
		}
	}
	if len(files) == 0 {
		return merged, "", nil
	}
	return merged, context, s.checkEntries(files, merged, context)
}

// checkEntries checks that the context, and what it names, exist once.
func (s Settings) checkEntries(files []file, merged *api.Config, context string) error {
	if context == "" && s.Cluster == "" && s.Host == "" {
		return &Error{Err: ErrNoEntry, Cause: fmt.Sprintf("No kubeconfig of %s has a current-context, and kubernetes.%s is not set.", s.pathsName(), argContext),
			Action: contextAction(sorted(merged.Contexts))}
	}
	cluster, user := s.Cluster, s.User
	if context != "" {
		from := s.pathsName() + " (current-context)"
		if s.Context != "" {
			from = s.name(argContext)
		}
		if err := check("context", context, from, contextsOf(files)); err != nil {
			return err
		}
		if cluster == "" && s.Host == "" {
			cluster = merged.Contexts[context].Cluster
		}
		if user == "" {
			user = merged.Contexts[context].AuthInfo
		}
	}
	from := func(own, argument string) string {
		if own != "" {
			return s.name(argument)
		}
		return fmt.Sprintf("The context %q", context)
	}
	if cluster != "" {
		if err := check("cluster", cluster, from(s.Cluster, argCluster), clustersOf(files)); err != nil {
			return err
		}
	}
	if user == "" || s.User == "" && s.hasCredentials() {
		return nil
	}
	return check("user", user, from(s.User, argUser), usersOf(files))
}

// contextAction is what to do where no context is chosen.
func contextAction(names []string) string {
	if len(names) == 0 {
		return "Use a kubeconfig that has a context, for example with aws eks update-kubeconfig."
	}
	return "Set " + argContext + " to one of " + strings.Join(names, ", ") + "."
}

// entry is a context, a cluster or a user of a file, without where it was read from.
type entry struct {
	path, name string
	value      any
}

func contextsOf(files []file) (all []entry) {
	for _, f := range files {
		for _, name := range sorted(f.config.Contexts) {
			value := *f.config.Contexts[name]
			value.LocationOfOrigin, value.Extensions = "", nil
			all = append(all, entry{f.path, name, value})
		}
	}
	return all
}

func clustersOf(files []file) (all []entry) {
	for _, f := range files {
		for _, name := range sorted(f.config.Clusters) {
			value := *f.config.Clusters[name]
			value.LocationOfOrigin, value.Extensions = "", nil
			all = append(all, entry{f.path, name, value})
		}
	}
	return all
}

func usersOf(files []file) (all []entry) {
	for _, f := range files {
		for _, name := range sorted(f.config.AuthInfos) {
			value := *f.config.AuthInfos[name]
			value.LocationOfOrigin, value.Extensions = "", nil
			all = append(all, entry{f.path, name, value})
		}
	}
	return all
}

// check checks that an entry exists, and that all of its name are the same.
func check(kind, name, from string, all []entry) error {
	var found []entry
	var names []string
	for _, e := range all {
		if e.name == name {
			found = append(found, e)
		}
		names = append(names, e.name)
	}
	if len(found) == 0 {
		slices.Sort(names)
		has := "There is none."
		if names = slices.Compact(names); len(names) > 0 {
			has = "There is " + strings.Join(names, ", ") + "."
		}
		return &Error{Err: ErrNoEntry, Cause: fmt.Sprintf("%s names the %s %q, which no kubeconfig has. %s", from, kind, name, has),
			Action: "Use a name that exists, or add the " + kind + " to a kubeconfig."}
	}
	rename := "Give the " + kind + " another name in one of the files"
	if kind == "context" {
		rename = "Rename it in one of the files with kubectl config rename-context"
	}
	for _, e := range found[1:] {
		if !reflect.DeepEqual(e.value, found[0].value) {
			return &Error{Err: ErrAmbiguous,
				Cause:  fmt.Sprintf("%s names the %s %q, which is not the same in %s and %s.", from, kind, name, found[0].path, e.path),
				Action: rename + ", or set kubernetes.config_path to one file."}
		}
	}
	return nil
}

// Default returns the configuration that kubectl uses: that of KUBECONFIG or ~/.kube/config, or that of a Pod.
// Its errors are of type *Error.
func Default(userAgent string) (*rest.Config, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, &Error{Err: ErrNotConfigured, Cause: "No Kubernetes cluster is configured.", Action: "Set KUBECONFIG, or create ~/.kube/config, for example with aws eks update-kubeconfig."}
	case err != nil:
		return nil, &Error{Err: ErrInvalid, Cause: "The kubeconfig cannot be used: " + err.Error() + ".", Action: "Fix it, or set KUBECONFIG to another file. The command uses the current context."}
	}
	return Settings{UserAgent: userAgent}.checked(config)
}
