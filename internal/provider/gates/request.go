package gates

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/bluegreen/terraform-provider-bluegreen/internal/gate"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/provider/input"
	"github.com/bluegreen/terraform-provider-bluegreen/internal/rollout"
)

// whereSet ends the description of every argument for a secret.
const whereSet = "which must be set where Terraform runs. Default: none."

// placeholdersNote ends the description of an argument with placeholders.
const placeholdersNote = "May have [placeholders](../guides/choosing-gates.md#placeholders), such as `{{incoming.version}}`."

// withRequest adds the arguments that all kinds which call a server have to those of a
// kind. The description says what the URL is.
func withRequest(urlDescription string, own map[string]schema.Attribute) map[string]schema.Attribute {
	all := map[string]schema.Attribute{
		"url": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: urlDescription + " " + placeholdersNote + " Stored in the state and shown in plans, so do not put secrets in it.",
		},
		"headers": schema.MapAttribute{
			Optional: true, Sensitive: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the value to send; `Host` sets the host. " + placeholdersNote + " Sensitive, but stored in the state: use `headers_env` for secrets. Default: none.",
		},
		"headers_env": schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Map of header to the name of the environment variable with its value, " + whereSet,
		},
	}
	maps.Copy(all, connectionArguments())
	maps.Copy(all, own)
	return all
}

// ConnectionTexts describes the arguments about TLS, which are optional strings.
func ConnectionTexts() map[string]string {
	return map[string]string{
		"ca_file":          "Path of a PEM file with the CA certificates to trust instead of the system certificates. Default: the system certificates.",
		"server_name":      "Host name that the server certificate must have, and that is sent as SNI, where it differs from the address. It does not set the `Host` header. Default: the host of the address.",
		"client_cert_file": "Path of a PEM file with the client certificate to present, followed by its intermediates. Requires `client_key_file`. Both files are read again for each connection. Default: none.",
		"client_key_file":  "Path of a PEM file with the key of `client_cert_file`, not encrypted. Default: none.",
	}
}

// connectionArguments are those about TLS.
func connectionArguments() map[string]schema.Attribute {
	all := map[string]schema.Attribute{}
	for name, text := range ConnectionTexts() {
		all[name] = schema.StringAttribute{Optional: true, MarkdownDescription: text}
	}
	return all
}

// connection reads them.
func (r reader) connection(at path.Path, a map[string]attr.Value) gate.Connection {
	return gate.Connection{
		CAFile:         r.filled(at.AtName("ca_file"), a["ca_file"]),
		ServerName:     r.filled(at.AtName("server_name"), a["server_name"]),
		ClientCertFile: r.filled(at.AtName("client_cert_file"), a["client_cert_file"]),
		ClientKeyFile:  r.filled(at.AtName("client_key_file"), a["client_key_file"]),
	}
}

// files returns the check of the files of a gate, nil where it cannot be done yet. A path that is
// unknown belongs to a file that may not be there yet.
func (r reader) files(at path.Path, a map[string]attr.Value, c gate.Connection) func() []fault {
	if unknown(a["ca_file"], a["client_cert_file"], a["client_key_file"]) {
		return nil
	}
	return func() []fault {
		var faults []fault
		for _, err := range c.CheckFiles() {
			faults = append(faults, fault{at.AtName(err.Argument), input.Capitalized(err.Err.Error())})
		}
		return faults
	}
}

// secretAttribute is the argument for a secret, whose name ends in "_env". The description
// says what the secret is.
func secretAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "Name of the environment variable with " + description + ", " + whereSet,
	}
}

// onNoDataAttribute is the argument that says what missing data counts as. The description says
// which data.
func onNoDataAttribute(description string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "What " + description + ": `inconclusive`, `pass` or `fail`. Default: `inconclusive`.",
	}
}

// onNoData reads it. Empty: it is not set.
func (r reader) onNoData(at path.Path, v attr.Value) gate.OnNoData {
	return gate.OnNoData(r.optionalChoice(at, v, string(rollout.Inconclusive), string(rollout.Pass), string(rollout.Fail)))
}

// optionalChoice reads a string that is one of several; empty where it is not set or unknown.
func (r reader) optionalChoice(at path.Path, v attr.Value, among ...string) string {
	if !r.Known(v) {
		return ""
	}
	return r.Choice(at, v, among...)
}

func (r reader) request(at path.Path, a map[string]attr.Value) gate.Request {
	return gate.Request{
		URL:        r.Text(a["url"]),
		Headers:    r.Texts(at.AtName("headers"), a["headers"]),
		HeadersEnv: r.Texts(at.AtName("headers_env"), a["headers_env"]),
		Connection: r.connection(at, a),
	}
}

// needsLive returns what is wrong with a gate without a live environment because of placeholders;
// nil: nothing.
func needsLive(at path.Path, argument *gate.ArgumentError) *fault {
	if argument == nil {
		return nil
	}
	if argument.Block != "" {
		at = at.AtName(argument.Block).AtListIndex(argument.Index)
	}
	return &fault{at.AtName(argument.Argument), "It has placeholders of the live environment, which a readiness check does not have."}
}

// filled reads a string that must not be empty if it is set: an empty name of a secret
// would mean that no secret is sent.
func (r reader) filled(at path.Path, v attr.Value) string {
	if input.Missing(v) {
		return ""
	}
	text, _ := r.Element(at, v)
	return text
}
