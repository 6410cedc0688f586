package platform

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
)

// kubernetesReader reads the block kubernetes.
type kubernetesReader struct {
	*input.Reader
	at          path.Path
	attributes  map[string]attr.Value
	environment func(string) string
	sources     map[string]string
}

// ReadKubernetes reads the provider configuration and the environment variables of hashicorp/kubernetes. It opens no
// file: what the values lead to matters only where a switch needs it. An argument comes before any variable.
func ReadKubernetes(v types.List, environment func(string) string) (kubeconfig.Settings, diag.Diagnostics) {
	rd := kubernetesReader{Reader: &input.Reader{}, environment: environment, sources: map[string]string{}}
	rd.at, rd.attributes = rd.Block(path.Root("kubernetes"), v)
	s := kubeconfig.Settings{
		Paths:             rd.paths(),
		Context:           rd.text("config_context", "KUBE_CTX"),
		User:              rd.text("config_context_auth_info", "KUBE_CTX_AUTH_INFO"),
		Cluster:           rd.text("config_context_cluster", "KUBE_CTX_CLUSTER"),
		Host:              rd.text("host", "KUBE_HOST"),
		ProxyURL:          rd.text("proxy_url", "KUBE_PROXY_URL"),
		ServerName:        rd.text("tls_server_name", "KUBE_TLS_SERVER_NAME"),
		Insecure:          rd.boolean("insecure", "KUBE_INSECURE"),
		Username:          rd.text("username", "KUBE_USER"),
		Password:          rd.text("password", "KUBE_PASSWORD"),
		Token:             rd.text("token", "KUBE_TOKEN"),
		CA:                rd.text("cluster_ca_certificate", "KUBE_CLUSTER_CA_CERT_DATA"),
		ClientCertificate: rd.text("client_certificate", "KUBE_CLIENT_CERT_DATA"),
		Secret:            rd.text("client_key", "KUBE_CLIENT_KEY_DATA"),
		Exec:              rd.exec(),
		Sources:           rd.sources,
	}
	s.Unknown = rd.Unknown
	return s, rd.Diags
}

// text reads an argument, or the environment variable where it is null.
func (r kubernetesReader) text(argument, variable string) string {
	if !input.Missing(r.attributes[argument]) {
		return r.Text(r.attributes[argument])
	}
	return r.variable(argument, variable)
}

func (r kubernetesReader) variable(argument, variable string) string {
	value := r.environment(variable)
	if value != "" {
		r.sources[argument] = variable
	}
	return value
}

func (r kubernetesReader) boolean(argument, variable string) string {
	if !input.Missing(r.attributes[argument]) {
		return strconv.FormatBool(r.Boolean(r.attributes[argument]))
	}
	return r.variable(argument, variable)
}

// paths returns the paths of kubeconfig files. A guardian may have another working directory, so they are absolute.
func (r kubernetesReader) paths() []string {
	one, several := r.attributes["config_path"], r.attributes["config_paths"]
	var paths []string
	switch {
	case !input.Missing(one) && !input.Missing(several):
		r.Add(input.Misuse(r.at.AtName("config_paths"), "It conflicts with kubernetes.config_path. Remove one of them."))
	case !input.Missing(one):
		if path := r.Text(one); path != "" {
			paths = []string{path}
		}
	case !input.Missing(several):
		paths = r.List(r.at.AtName("config_paths"), several)
	default:
		if path := r.variable("config_path", "KUBE_CONFIG_PATH"); path != "" {
			paths = []string{path}
		} else {
			paths = filepath.SplitList(r.variable("config_paths", "KUBE_CONFIG_PATHS"))
		}
	}
	for i, path := range paths {
		if absolute, err := filepath.Abs(path); err == nil && !strings.HasPrefix(path, "~") {
			paths[i] = absolute
		}
	}
	return paths
}

func (r kubernetesReader) exec() *kubeconfig.Exec {
	at, a := r.Block(r.at.AtName("exec"), r.attributes["exec"])
	if a == nil {
		return nil
	}
	return &kubeconfig.Exec{
		APIVersion: r.Text(a["api_version"]),
		Command:    r.Text(a["command"]),
		Args:       r.arguments(at.AtName("args"), a["args"]),
		Env:        r.variables(at.AtName("env"), a["env"]),
	}
}

// arguments reads a list of strings, of which one may be empty.
func (r kubernetesReader) arguments(at path.Path, v attr.Value) []string {
	l, ok := v.(types.List)
	if !r.Known(v) || !ok {
		return nil
	}
	var all []string
	for i, e := range l.Elements() {
		if input.Missing(e) {
			r.Add(input.NullElement(at.AtListIndex(i)))
		}
		all = append(all, r.Text(e))
	}
	return all
}

// variables reads a map of strings, of which one may be empty.
func (r kubernetesReader) variables(at path.Path, v attr.Value) map[string]string {
	m, ok := v.(types.Map)
	if !r.Known(v) || !ok {
		return nil
	}
	all := map[string]string{}
	for name, e := range m.Elements() {
		if input.Missing(e) {
			r.Add(input.NullElement(at.AtMapKey(name)))
		}
		all[name] = r.Text(e)
	}
	return all
}
