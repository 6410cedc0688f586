package kubeconfig

import (
	"cmp"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Settings are the arguments of the provider's block kubernetes, each from the configuration or the environment.
// They have secrets: they are never logged, and passed to the guardian through a pipe only. Empty values are not set.
type Settings struct {
	// Paths are those of kubeconfig files. Without any, and without a Host, the configuration is that of a Pod.
	Paths []string
	// Context, User and Cluster replace the current context of the files, and what it names.
	Context, User, Cluster string

	Host, ProxyURL, ServerName    string
	Insecure                      string // a boolean; the environment may have anything
	Username, Password, Token     string
	CA, ClientCertificate, Secret string // PEM; Secret is the key of the certificate
	Exec                          *Exec

	UserAgent string
	// Sources are the environment variables that set arguments, by argument.
	Sources map[string]string
	// Unknown is true while part of the configuration is unknown: nothing can be called yet, which does not
	// matter to a plan that makes no calls.
	Unknown bool
}

// Exec is a program that prints credentials, as ExecConfig of a kubeconfig.
type Exec struct {
	APIVersion, Command string
	Args                []string
	Env                 map[string]string
}

// Names of the arguments that errors are about.
const (
	argPath    = "config_path"
	argPaths   = "config_paths"
	argContext = "config_context"
	argUser    = "config_context_auth_info"
	argCluster = "config_context_cluster"
	argHost    = "host"
	argProxy   = "proxy_url"
	argInsec   = "insecure"
	argCA      = "cluster_ca_certificate"
	argCert    = "client_certificate"
	argKey     = "client_key"
)

// name names an argument, or the environment variable that set it.
func (s Settings) name(argument string) string {
	return cmp.Or(s.Sources[argument], "kubernetes."+argument)
}

// pathsName names what has the paths.
func (s Settings) pathsName() string {
	if len(s.Paths) == 1 && s.Sources[argPaths] == "" {
		return s.name(argPath)
	}
	return s.name(argPaths)
}

// Load returns the configuration of clients. Its errors are of type *Error.
func (s Settings) Load() (*rest.Config, error) {
	overrides, err := s.overrides()
	if err != nil {
		return nil, err
	}
	if len(s.Paths) == 0 && s.Host == "" {
		return s.inCluster(overrides)
	}
	merged, context, err := s.files()
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*merged, context, overrides, nil).ClientConfig()
	if err != nil {
		return nil, unusable(err)
	}
	return s.checked(config)
}

// checked completes a configuration. The certificates of a file are read here, and not by the first call.
func (s Settings) checked(config *rest.Config) (*rest.Config, error) {
	if old := config.AuthProvider; old != nil && !s.hasCredentials() {
		return nil, obsolete(old.Name)
	}
	config.AuthProvider = nil
	if _, err := rest.TLSConfigFor(config); err != nil {
		return nil, unusable(err)
	}
	config.UserAgent = cmp.Or(s.UserAgent, config.UserAgent)
	return config, nil
}

// hasCredentials reports whether the settings have credentials, in place of those of the files.
func (s Settings) hasCredentials() bool {
	return s.Token != "" || s.Exec != nil || s.ClientCertificate != "" || s.Username != ""
}

// overrides returns what replaces values of the files.
func (s Settings) overrides() (*clientcmd.ConfigOverrides, error) {
	o := &clientcmd.ConfigOverrides{
		Context:         api.Context{AuthInfo: s.User, Cluster: s.Cluster},
		ClusterDefaults: api.Cluster{ProxyURL: s.ProxyURL},
		ClusterInfo:     api.Cluster{TLSServerName: s.ServerName, CertificateAuthorityData: []byte(s.CA)},
		AuthInfo: api.AuthInfo{Username: s.Username, Password: s.Password, Token: s.Token,
			ClientCertificateData: []byte(s.ClientCertificate), ClientKeyData: []byte(s.Secret)},
	}
	if s.Insecure != "" {
		insecure, err := strconv.ParseBool(s.Insecure)
		if err != nil {
			return nil, &Error{Err: ErrInvalid, Cause: s.name(argInsec) + " is neither true nor false.", Action: "Set it to true or false, or remove it."}
		}
		o.ClusterInfo.InsecureSkipTLSVerify = insecure
	}
	if err := s.checkTexts(); err != nil {
		return nil, err
	}
	if s.Host != "" {
		secure := (s.CA != "" || s.ClientCertificate != "") && !o.ClusterInfo.InsecureSkipTLSVerify
		host, _, err := rest.DefaultServerURL(s.Host, "", schema.GroupVersion{}, secure)
		if err != nil {
			return nil, &Error{Err: ErrInvalid, Cause: s.name(argHost) + " is not the URL of an API server.", Action: `Set it to a URL such as "https://10.0.0.1:6443".`}
		}
		if secret := s.Token != "" || s.Password != "" || s.Exec != nil; host.Scheme == "http" && secret {
			return nil, &Error{Err: ErrInvalid, Cause: s.name(argHost) + " is an http URL, to which no credentials are sent.", Action: "Use an https URL, or remove the credentials."}
		}
		o.ClusterInfo.Server = host.String()
	}
	if x := s.Exec; x != nil {
		o.AuthInfo.Exec = &api.ExecConfig{APIVersion: x.APIVersion, Command: x.Command, Args: x.Args, InteractiveMode: api.IfAvailableExecInteractiveMode}
		for _, name := range sorted(x.Env) {
			o.AuthInfo.Exec.Env = append(o.AuthInfo.Exec.Env, api.ExecEnvVar{Name: name, Value: x.Env[name]})
		}
	}
	return o, nil
}

// checkTexts checks values whose errors would repeat them, or say nothing of the usual mistake.
func (s Settings) checkTexts() error {
	if s.ProxyURL != "" {
		if parsed, err := url.Parse(s.ProxyURL); err != nil || parsed.Host == "" {
			return &Error{Err: ErrInvalid, Cause: s.name(argProxy) + " is not a URL.", Action: `Set it to a URL such as "http://proxy.example.com:3128".`}
		}
	}
	texts := map[string]string{argCA: s.CA, argCert: s.ClientCertificate, argKey: s.Secret}
	for _, argument := range sorted(texts) {
		if text := texts[argument]; text != "" && !strings.Contains(text, "-----BEGIN ") {
			return &Error{Err: ErrInvalid, Cause: s.name(argument) + " is not in PEM format.",
				Action: "Set it to a text that begins with -----BEGIN. Decode what is in Base64, such as that of aws_eks_cluster, with base64decode()."}
		}
	}
	if (s.ClientCertificate == "") != (s.Secret == "") {
		have, lack := argCert, argKey
		if s.ClientCertificate == "" {
			have, lack = argKey, argCert
		}
		return &Error{Err: ErrInvalid, Cause: s.name(have) + " is set without " + "kubernetes." + lack + ".", Action: "Set both, or neither."}
	}
	return nil
}

// inCluster returns the configuration of a Pod.
func (s Settings) inCluster(overrides *clientcmd.ConfigOverrides) (*rest.Config, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, &Error{Err: ErrNotConfigured, Cause: "No Kubernetes cluster is configured: " + err.Error() + ".",
			Action: "Set config_path, or host with credentials, in the block kubernetes of the provider, or set KUBE_CONFIG_PATH. KUBECONFIG is not read, as in hashicorp/kubernetes."}
	}
	if token := overrides.AuthInfo.Token; token != "" {
		config.BearerToken, config.BearerTokenFile = token, ""
	}
	return s.checked(config)
}

// expanded returns a path in which ~ is the folder of the user.
func expanded(path string) string {
	rest, is := strings.CutPrefix(path, "~")
	if !is || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path
	}
	folder, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(folder, rest)
}
