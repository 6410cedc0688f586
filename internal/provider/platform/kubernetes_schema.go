package platform

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// KubernetesBlock is the provider's block kubernetes.
func KubernetesBlock() schema.ListNestedBlock {
	exec := schema.ListNestedBlock{
		MarkdownDescription: "Program that prints credentials, such as `aws eks get-token`. It runs again when they expire.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"api_version": schema.StringAttribute{Required: true, MarkdownDescription: "API version of the credentials that it prints: `client.authentication.k8s.io/v1` or `client.authentication.k8s.io/v1beta1`."},
			"command":     schema.StringAttribute{Required: true, MarkdownDescription: "Program, as a path or a name on `PATH`."},
			"args":        schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Arguments. Default: none."},
			"env":         schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Environment variables that are set beside those of Terraform. Default: none."},
		}},
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "Kubernetes configuration, with the arguments of hashicorp/kubernetes. It is read only for switches with a block `kubernetes`. Default: the environment variables below or, in a Pod, its service account.",
		NestedObject:        schema.NestedBlockObject{Attributes: kubernetesAttributes(), Blocks: map[string]schema.Block{"exec": exec}},
	}
}

func kubernetesAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	secret := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"config_path":              text("Path of the kubeconfig file. Conflicts with `config_paths`. Default: `KUBE_CONFIG_PATH`. `KUBECONFIG` is not read."),
		"config_paths":             schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Paths of kubeconfig files, which are merged. All must exist. Default: `KUBE_CONFIG_PATHS`, separated as in `PATH`."},
		"config_context":           text("Context of the kubeconfig. Default: `KUBE_CTX`, or the current context."),
		"config_context_auth_info": text("User of the kubeconfig, instead of that of the context. Default: `KUBE_CTX_AUTH_INFO`, or that of the context."),
		"config_context_cluster":   text("Cluster of the kubeconfig, instead of that of the context. Default: `KUBE_CTX_CLUSTER`, or that of the context."),
		"host":                     text("URL of the API server, such as `https://10.0.0.1:6443`. Default: `KUBE_HOST`, or that of the kubeconfig."),
		"username":                 text("User name for basic authentication. Default: `KUBE_USER`."),
		"password":                 secret("Password for basic authentication. Default: `KUBE_PASSWORD`."),
		"token":                    secret("Bearer token, such as that of a service account. A token that expires during a shift is refused before the step. Default: `KUBE_TOKEN`."),
		"insecure":                 schema.BoolAttribute{Optional: true, MarkdownDescription: "Whether the certificate of the API server is not verified. Default: `KUBE_INSECURE`, or `false`."},
		"tls_server_name":          text("Name that the certificate of the API server must have. Default: `KUBE_TLS_SERVER_NAME`, or the name in the URL."),
		"client_certificate":       text("Client certificate in PEM format. Requires `client_key`. Default: `KUBE_CLIENT_CERT_DATA`."),
		"client_key":               secret("Key of the client certificate in PEM format. Default: `KUBE_CLIENT_KEY_DATA`."),
		"cluster_ca_certificate":   text("Certificates in PEM format that may sign that of the API server. Default: `KUBE_CLUSTER_CA_CERT_DATA`, or those of the system."),
		"proxy_url":                text("URL of the HTTP or SOCKS5 proxy for all calls. Default: `KUBE_PROXY_URL`, or `HTTPS_PROXY`."),
	}
}
