package platform

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/client-go/rest"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/kubeconfig"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/localkube"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

const (
	kubeRoute = "httproute/shop/web"
	kubeToken = "s3cret-kube-token"
)

// kubernetesConfig is a block kubernetes with some arguments.
func kubernetesConfig(t *testing.T, set map[string]attr.Value) types.List {
	t.Helper()
	list, ok := KubernetesBlock().Type().(types.ListType)
	if !ok {
		t.Fatal("the block is no list")
	}
	of, ok := list.ElemType.(types.ObjectType)
	if !ok {
		t.Fatal("the block has no object")
	}
	values := map[string]attr.Value{}
	for name, kind := range of.AttrTypes {
		switch kind := kind.(type) {
		case types.ListType:
			values[name] = types.ListNull(kind.ElemType)
		default:
			values[name] = types.StringNull()
			if kind.Equal(types.BoolType) {
				values[name] = types.BoolNull()
			}
		}
	}
	for name, value := range set {
		values[name] = value
	}
	return types.ListValueMust(of, []attr.Value{types.ObjectValueMust(of.AttrTypes, values)})
}

// An argument comes before any environment variable, and both are named where they are wrong.
func TestReadKubernetes(t *testing.T) {
	t.Parallel()
	variables := map[string]string{"KUBE_CONFIG_PATH": "relative/config", "KUBE_CTX": "prod", "KUBE_HOST": "https://other.example.com", "KUBE_INSECURE": "true",
		"KUBE_TOKEN": kubeToken, "KUBE_CONFIG_PATHS": "a:b", "KUBE_USER": "admin", "KUBE_PASSWORD": "p", "KUBE_TLS_SERVER_NAME": "name", "KUBE_CLIENT_CERT_DATA": "cert",
		"KUBE_CLIENT_KEY_DATA": "key", "KUBE_CLUSTER_CA_CERT_DATA": "ca", "KUBE_PROXY_URL": "http://proxy", "KUBE_CTX_AUTH_INFO": "user", "KUBE_CTX_CLUSTER": "cluster"}
	s, diags := ReadKubernetes(types.ListNull(types.StringType), func(name string) string { return variables[name] })
	path, err := filepath.Abs("relative/config")
	if err != nil || diags.HasError() {
		t.Fatal(err, diags)
	}
	want := kubeconfig.Settings{Paths: []string{path}, Context: "prod", User: "user", Cluster: "cluster", Host: "https://other.example.com", ProxyURL: "http://proxy", ServerName: "name",
		Insecure: "true", Username: "admin", Password: "p", Token: kubeToken, CA: "ca", ClientCertificate: "cert", Secret: "key"}
	sources := s.Sources
	s.Sources = nil
	if got := fmt.Sprintf("%+v", s); got != fmt.Sprintf("%+v", want) {
		t.Errorf("of the environment: %s", got)
	}
	if sources["config_context"] != "KUBE_CTX" || sources["config_paths"] != "" {
		t.Errorf("sources %v", sources)
	}

	config := kubernetesConfig(t, map[string]attr.Value{"host": types.StringValue("https://mine.example.com"), "insecure": types.BoolValue(false),
		"config_paths": types.ListValueMust(types.StringType, []attr.Value{types.StringValue("~/a"), types.StringValue("/b")})})
	s, diags = ReadKubernetes(config, func(name string) string { return variables[name] })
	if diags.HasError() || s.Host != "https://mine.example.com" || s.Insecure != "false" || fmt.Sprint(s.Paths) != "[~/a /b]" || s.Sources["host"] != "" {
		t.Errorf("of the configuration: %+v, %v", s, diags)
	}
	s, diags = ReadKubernetes(kubernetesConfig(t, map[string]attr.Value{"host": types.StringUnknown()}), func(string) string { return "" })
	if diags.HasError() || !s.Unknown {
		t.Errorf("unknown: %+v, %v", s, diags)
	}
}

func TestKubernetesSession_unknownSettings(t *testing.T) {
	t.Parallel()
	session := &Session{Kubernetes: KubernetesSession{Settings: kubeconfig.Settings{Unknown: true}}}
	if _, err := Of(kubeRoute).Connect(t.Context(), session, kubeRoute); !errors.Is(err, ErrSettingsUnknown) {
		t.Error(err)
	}
}

// A token that expires before a step and a rollback is known before the step; credentials that renew themselves are not
// asked.
func TestTokenLasts(t *testing.T) {
	t.Parallel()
	jwt := func(in time.Duration) string {
		return "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(in).Unix())) + ".c2ln"
	}
	for name, c := range map[string]struct {
		config rest.Config
		want   error
	}{
		"long enough":     {rest.Config{BearerToken: jwt(2 * time.Hour)}, nil},
		"too short":       {rest.Config{BearerToken: jwt(time.Minute)}, errCredentials},
		"not known":       {rest.Config{BearerToken: "abc"}, nil},
		"a file of a Pod": {rest.Config{BearerToken: jwt(time.Minute), BearerTokenFile: "token"}, nil},
	} {
		if err := tokenLasts(&c.config, time.Hour); !errors.Is(err, c.want) || err != nil && strings.Contains(err.Error(), "e30.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A guardian rolls a route back with the clients that were handed over.
func TestKubernetesSession_handover(t *testing.T) {
	t.Parallel()
	server, err := localkube.Start(localkube.WithTLS(), localkube.WithToken(kubeToken))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	type object = map[string]any
	refs := []any{}
	for _, name := range []string{"web-blue", "web-green"} {
		server.Put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"namespace": "shop", "name": name}, "spec": object{"ports": []any{object{"port": 8080}}}})
		refs = append(refs, object{"name": name, "port": 8080, "weight": 50})
	}
	server.Put(object{"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": object{"namespace": "shop", "name": "web"},
		"spec": object{"parentRefs": []any{object{"name": "edge"}}, "rules": []any{object{"backendRefs": refs}}}})

	session := &Session{Kubernetes: KubernetesSession{Settings: kubeconfig.Settings{Host: server.URL(), Token: kubeToken, CA: string(server.CA())}}}
	clients, err := Of(kubeRoute).Connect(t.Context(), session, kubeRoute)
	if err != nil {
		t.Fatal(err)
	}
	now, err := clients.Forward.Read(t.Context(), []string{kubeRoute})
	if err != nil {
		t.Fatal(err)
	}
	target := now[0]
	target.Weights = map[string]int{"service/shop/web-blue:8080": 100}
	handed, err := clients.Handover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(rollout.Handover{Routes: []rollout.HandedRoute{{Current: now[0], Target: target}}})
	if err != nil {
		t.Fatal(err)
	}
	var h rollout.Handover
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	resumed, err := Resume(t.Context(), handed, &h)
	if err != nil {
		t.Fatal(err)
	}
	if err := resumed.Rollback.Write(t.Context(), kubeRoute, h.Routes[0].Target); err != nil {
		t.Fatal(err)
	}
	after, err := clients.Forward.Read(t.Context(), []string{kubeRoute})
	if err != nil || after[0].Weights["service/shop/web-green:8080"] != 0 || after[0].Weights["service/shop/web-blue:8080"] == 0 {
		t.Errorf("%v, %v", after, err)
	}
	if resumed.Recorder == nil {
		t.Error("there is no recorder")
	}
}
